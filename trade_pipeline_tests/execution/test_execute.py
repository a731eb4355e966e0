"""A decision becomes orders once, and only those that may be sent now."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest

from trade_pipeline.errors import LedgerError, VenueUnavailable
from trade_pipeline.execution.control import pause
from trade_pipeline.execution.execute import plan_dry_run
from trade_pipeline.execution.planning.snapshot import take_snapshot
from trade_pipeline.execution.readback.reconcile import reconcile
from trade_pipeline.ledger.records import Lock
from trade_pipeline.schemas.trading import OrderState, OrderType, Role, Side, TargetKind
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, lost
from trade_pipeline_tests.fakes import START, make_target


def hold(symbol: str = BTC) -> object:
    return make_target(symbol=symbol, kind=TargetKind.HOLD, quantity=None, sleeves={}, reason="warming up")


def test_a_target_is_bought_and_the_position_is_what_was_filled_less_the_fee(room: Room) -> None:
    report = room.want("1")
    (order,) = report.orders
    assert order.state == OrderState.FILLED
    assert order.role == Role.ENTRY
    assert room.held() == Decimal("0.999")
    assert report.verdicts[BTC].action == "buy"
    assert report.latency_s is not None


def test_a_fill_is_compared_with_the_price_that_was_decided(room: Room) -> None:
    report = room.want("1", price=Decimal(100))
    (ratio,) = report.slippage.values()
    assert ratio == Decimal("0.0002")


def test_a_second_run_of_a_decision_ends_green_and_sends_nothing(room: Room) -> None:
    decision = room.decide(make_target())
    room.execute(decision, run_id="first")
    report = room.execute(decision, run_id="second")
    assert "already claimed" in report.outcome
    assert len(room.venue.created) == 1


def test_the_same_run_repeated_after_a_crash_sends_nothing_twice(room: Room) -> None:
    decision = room.decide(make_target())
    room.execute(decision, run_id="first")
    room.execute(decision, run_id="first")
    assert len(room.venue.created) == 1


def test_two_workers_with_one_decision_send_once(room: Room) -> None:
    decision = room.decide(make_target())
    at_once = threading.Barrier(2)

    def work(run_id: str) -> None:
        at_once.wait()
        room.execute(decision, run_id=run_id)

    workers = [threading.Thread(target=work, args=(name,)) for name in ("first", "second")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert len(room.venue.created) == 1
    assert room.held() == Decimal("0.999")


def test_a_superseded_decision_sends_nothing(room: Room) -> None:
    old = room.decide(make_target())
    room.clock.advance(60)
    room.decide(make_target())
    report = room.execute(old)
    assert "superseded" in report.outcome
    assert room.venue.created == []


def test_a_decision_that_does_not_exist_is_an_error(room: Room) -> None:
    with pytest.raises(LedgerError, match="no such decision"):
        room.execute("f" * 32)


def test_an_old_decision_buys_nothing_and_still_sells(room: Room) -> None:
    room.want("1")
    room.clock.advance(60)
    decision = room.decide(make_target(kind=TargetKind.FLAT, quantity=None, sleeves={}))
    room.clock.advance(59)
    room.execute(decision, run_id="late")
    assert room.held() < Decimal("0.001")


def test_a_closed_gate_stops_buying_and_lets_reductions_pass(room: Room) -> None:
    decision = room.decide(make_target())
    report = room.execute(decision, reasons=("bars: gap in BTC/USDT",))
    assert room.venue.created == []
    assert "the gate is closed: bars: gap" in report.outcome
    room.want("1")
    room.clock.advance(60)
    flat = room.decide(make_target(kind=TargetKind.FLAT, quantity=None, sleeves={}))
    room.execute(flat, reasons=("bars: gap in BTC/USDT",), run_id="closed")
    assert room.held() < Decimal("0.001")


def test_a_pause_stops_buying(room: Room) -> None:
    pause(room.desk.home, "looking at something", START)
    assert "paused: looking at something" in room.want("1").outcome
    assert room.venue.created == []


def test_coins_that_were_there_before_are_not_sold(room: Room) -> None:
    """TRADING rule 7: start with 2 BTC and the target FLAT."""
    room.venue.totals["BTC"] = Decimal(2)
    assert room.want(None).orders == ()
    assert room.venue.created == []


def test_a_starved_symbol_is_held(room: Room) -> None:
    room.want("1")
    room.clock.advance(60)
    report = room.execute(room.decide(hold()), run_id="starved")  # type: ignore[arg-type]  # a Target
    assert report.orders == ()
    assert report.verdicts[BTC].reason == "hold: warming up"
    assert room.held() == Decimal("0.999")


def test_a_symbol_without_a_target_is_held(room: Room) -> None:
    room.want("1")
    room.clock.advance(60)
    assert room.execute(room.decide(), run_id="empty").orders == ()
    assert room.held() == Decimal("0.999")


def test_a_stop_is_cancelled_before_its_coins_are_sold(room: Room) -> None:
    room.want("1")
    guard = room.guard()
    guard.cycle()
    (stop,) = room.venue.open_orders()
    report = room.want(None)
    assert room.venue.cancelled == [stop.client_order_id]
    assert [order.role for order in report.orders] == [Role.EXIT]
    assert room.held() < Decimal("0.001")


def test_a_sale_that_fails_leaves_the_position_to_the_guards_next_stop(room: Room) -> None:
    room.want("1")
    guard = room.guard()
    guard.cycle()
    room.venue.faults["create"].extend([VenueUnavailable("maintenance")] * 3)
    room.want(None)
    assert room.venue.open_orders() == []
    guard.cycle()
    (stop,) = room.venue.open_orders()
    assert stop.type == OrderType.STOP_LOSS_LIMIT
    assert stop.amount == Decimal("0.999")


def test_what_a_stop_sold_before_its_cancel_is_not_sold_again(room: Room) -> None:
    """RELIABILITY statement 14: the remainder comes from fills."""
    room.want("1")
    room.guard().cycle()
    (stop,) = room.venue.open_orders()
    room.venue.fill(stop.client_order_id, Decimal("0.4"))
    room.want(None)
    sale = room.venue.created[-1]
    assert (sale.side, sale.amount) == (Side.SELL, Decimal("0.599"))
    assert room.held() == 0


def test_a_stop_that_sold_after_the_decision_is_not_bought_back_by_it(room: Room) -> None:
    room.clock.advance(60)
    decision = room.decide(make_target())
    room.ledger.lock(Lock("main", "trend", BTC, "protective exit", room.clock()))
    report = room.execute(decision)
    assert room.venue.created == []
    assert "locked" in report.verdicts[BTC].reason


def test_an_unknown_order_blocks_its_symbol_until_it_is_resolved(room: Room) -> None:
    """RELIABILITY statements 1 and 2: an answer lost after acceptance gives one order."""
    room.venue.faults["create_after"].append(lost())
    room.venue.faults["order"].append(lost())
    (order,) = room.want("1").orders
    assert order.state == OrderState.UNKNOWN
    assert "is UNKNOWN: resolved first" in room.want("1").verdicts[BTC].reason
    room.want("1")
    assert len(room.venue.created) == 1
    resolved = room.ledger.order(order.client_order_id)
    assert resolved is not None
    assert resolved.state == OrderState.FILLED
    assert room.held() == Decimal("0.999")


def test_a_failed_execution_says_so_with_the_decision(room: Room) -> None:
    decision = room.decide(make_target())
    room.venue.faults["account"].append(VenueUnavailable("maintenance"))
    with pytest.raises(VenueUnavailable):
        room.execute(decision)
    (outcome,) = room.ledger.outcomes(decision)
    assert "maintenance" in outcome.outcome


def test_a_hundred_bars_of_small_noise_send_nothing(room: Room) -> None:
    room.want("1")
    for bar in range(100):
        room.want("1" if bar % 2 else "0.998", stop_distance=Decimal(5))
    assert len(room.venue.created) == 1


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(room: Room) -> None:
    room.decide(make_target())
    decision, plan = plan_dry_run(room.desk)
    assert decision is not None
    (planned,) = plan.orders
    assert planned.request.amount == 1
    assert room.venue.created == []
    assert room.ledger.orders("main") == []


def test_what_a_limit_sale_leaves_goes_to_the_market(room: Room) -> None:
    room.want("1")
    room.venue.share_filled = Decimal("0.25")
    report = room.want(None)
    assert [order.request.type for order in report.orders] == [OrderType.LIMIT, OrderType.MARKET]
    assert [order.attempt for order in report.orders] == [0, 1]
    assert room.held() < Decimal("0.001")


def test_what_a_limit_purchase_leaves_is_left(room: Room) -> None:
    room.venue.share_filled = Decimal("0.25")
    report = room.want("1")
    assert len(report.orders) == 1
    assert room.held() == Decimal("0.24975")


def test_a_sale_that_is_not_booked_yet_is_not_counted_twice_in_equity(room: Room) -> None:
    room.want("1")
    before = take_snapshot(room.desk).equity_quote
    room.guard().cycle()
    (stop,) = room.venue.open_orders()
    room.venue.fill(stop.client_order_id)
    assert take_snapshot(room.desk).equity_quote == before
    reconcile(room.desk)
    assert before - 1 < take_snapshot(room.desk).equity_quote < before


def test_equity_of_the_opening_is_the_cash_that_was_there(room: Room) -> None:
    assert take_snapshot(room.desk).equity_quote == 10_000
