"""What status reads from a real ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import EquityPoint, Event, ExitState, Lock
from trade_pipeline.observe import book
from trade_pipeline.schemas.trading import OrderType, Role, Side
from trade_pipeline_tests.fakes import make_decision, make_intent, make_request, make_snapshot, make_target
from trade_pipeline_tests.ledger.flow import buy, open_order

NOON = datetime(2024, 5, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def _point(at: datetime, equity: str, realised: str, unrealised: str = "0", fees: str = "0") -> EquityPoint:
    zero = Decimal(0)
    values = (Decimal(equity), zero, zero, Decimal(realised), Decimal(unrealised), Decimal(fees), Decimal("11000"))
    return EquityPoint("main", at, *values)


def _decide(ledger: Ledger, as_of: datetime, number: int = 1) -> str:
    decision_id = f"{number:032x}"
    decision = make_decision(decision_id, as_of=as_of, decided_at=as_of + timedelta(seconds=2))
    ledger.record_decision(decision, make_snapshot(decision.snapshot_id), [make_target(decision_id)])
    return decision_id


def test_profit_is_net_of_fees_and_todays_begins_at_midnight(ledger: Ledger) -> None:
    midnight = NOON.replace(hour=0)
    ledger.record_equity(_point(midnight - timedelta(minutes=5), "10000", "50", fees="10"))
    ledger.record_equity(_point(NOON, "9900", "80", unrealised="20", fees="15"))
    found = book.money(ledger, "main", NOON)
    assert found is not None
    assert found.profit_total_quote == Decimal(85)
    assert found.profit_today_quote == Decimal(45)
    assert found.drawdown_ratio == Decimal("0.1")


def test_money_is_not_known_before_the_first_point(ledger: Ledger) -> None:
    assert book.money(ledger, "main", NOON) is None


def test_the_last_decision_says_why_nothing_was_traded(ledger: Ledger) -> None:
    assert book.last_decision(ledger, "main") is None
    decision_id = _decide(ledger, NOON)
    found = book.last_decision(ledger, "main")
    assert found is not None
    assert (found.latency_s, found.orders, found.why) == (2.0, 0, "not executed yet")
    ledger.record_outcome(decision_id, "gate", "closed", {"reason": "bars are stale"})
    found = book.last_decision(ledger, "main")
    assert found is not None
    assert found.why == "gate: closed (bars are stale)"


def test_orders_of_a_decision_are_counted_and_timed(ledger: Ledger) -> None:
    as_of = datetime.now(UTC) - timedelta(seconds=5)
    decision_id = _decide(ledger, as_of)
    open_order(ledger, 1, decision_id=decision_id)
    found = book.last_decision(ledger, "main")
    assert found is not None
    assert found.orders == 1
    assert found.order_latency_s is not None
    assert found.order_latency_s >= 5


def test_a_position_shows_its_mark_profit_stop_and_strategy(ledger: Ledger) -> None:
    buy(ledger, 1, "2", "100")
    open_order(ledger, 2, amount=Decimal(2), side=Side.SELL, role=Role.PROTECT)
    (held,) = book.held_positions(ledger, "main", {"BTC/USDT": Decimal(110)})
    assert held.entry == Decimal(100)
    assert held.profit_quote is not None
    assert held.profit_quote <= Decimal(20)
    assert held.strategy
    (unmarked,) = book.held_positions(ledger, "main", {})
    assert unmarked.profit_quote is None


def test_a_position_shows_its_target_and_how_high_its_stop_has_trailed(ledger: Ledger) -> None:
    buy(ledger, 1, "2", "100")
    (position,) = ledger.positions("main")
    assert position.opened_at is not None
    state = ExitState(
        account="main",
        symbol="BTC/USDT",
        opened_at=position.opened_at,
        highest=Decimal(115),
        trailing_active=True,
        protection="stop",
        switched_at=None,
        stages_done=0,
        updated_at=position.updated_at,
        detail={"stop": "98.5", "target": "120"},
    )
    ledger.save_exit_state(state)
    (held,) = book.held_positions(ledger, "main", {})
    assert (held.target, held.high, held.rests) == (Decimal(120), Decimal(115), "none")
    two, sell = Decimal(2), Side.SELL
    request = make_request(
        "7c01" + "9" * 28, side=sell, amount=two, type=OrderType.TAKE_PROFIT, price=None, stop_price=Decimal(120)
    )
    ledger.plan_order(make_intent("a take-profit", role=Role.PROTECT, side=sell, amount=two), request)
    (held,) = book.held_positions(ledger, "main", {})
    assert (held.stop, held.target, held.rests) == (Decimal("98.5"), Decimal(120), "profit")


def test_open_orders_have_an_age(ledger: Ledger) -> None:
    open_order(ledger, 1)
    (order,) = book.open_orders(ledger, "main", datetime.now(UTC) + timedelta(seconds=30))
    assert order.age_s >= 30


def test_minutes_without_a_decision_are_lost_ticks(ledger: Ledger) -> None:
    for number, minute in enumerate((0, 1, 4), start=1):
        _decide(ledger, NOON + minute * MINUTE, number)
    at = NOON + 5 * MINUTE + timedelta(seconds=30)
    assert book.lost_ticks(ledger, "main", NOON - MINUTE, at) == [
        NOON + 2 * MINUTE,
        NOON + 3 * MINUTE,
        NOON + 5 * MINUTE,
    ]


def test_a_minute_that_may_still_be_decided_is_not_lost(ledger: Ledger) -> None:
    _decide(ledger, NOON)
    assert book.lost_ticks(ledger, "main", NOON, NOON + MINUTE + timedelta(seconds=10)) == []


def test_before_the_first_decision_nothing_is_lost(ledger: Ledger) -> None:
    assert book.lost_ticks(ledger, "main", NOON - timedelta(hours=1), NOON) == []


def test_locks_and_alerts_are_named(ledger: Ledger) -> None:
    ledger.lock(Lock("main", "trend", "BTC/USDT", "stopped out", NOON))
    ledger.record_event(Event(NOON, "drift", "critical", "main", "BTC/USDT"))
    ledger.record_event(Event(NOON, "started", "info", "main"))
    assert [line.reason for line in book.lock_lines(ledger, "main", NOON)] == ["stopped out"]
    assert book.alerts(ledger, "main", NOON) == ["12:00:00 critical drift BTC/USDT"]
