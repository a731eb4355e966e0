"""Decisions executed on the simulated exchange over real HTTP, with its faults, and a real ledger."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.execute import Execution, execute_decision
from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.execution.planning.snapshot import take_snapshot
from trade_pipeline.execution.readback.reconcile import reconcile, residuals_of
from trade_pipeline.execution.rounding import amount_down, is_dust
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import OrderState, TargetKind
from trade_pipeline_tests.exchange_process import RunningExchange, running_exchange
from trade_pipeline_tests.execution.conftest import open_gate
from trade_pipeline_tests.fakes import make_decision, make_target

BTC = "BTC/USDT"
NOTIONAL = Decimal(400)


@pytest.fixture
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    with running_exchange(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def desk(exchange: RunningExchange, ledger: Ledger) -> Iterator[Desk]:
    venue = exchange.trading()
    desk = Desk(ledger, venue, exchange.settings, exchange.home, lambda: datetime.now(UTC))
    reconcile(desk)
    yield desk
    venue.close()


def decide(desk: Desk, named: str, *, flat: bool = False) -> str:
    """SET about 400 USDT of BTC, or FLAT."""
    now, snapshot = desk.now(), take_snapshot(desk)
    top, rules = desk.venue.book_tops([BTC])[BTC], desk.venue.markets()[BTC]
    quantity = Decimal(0) if flat else amount_down(NOTIONAL / top.ask, rules)
    expires_at = now + timedelta(seconds=60)
    target = make_target(
        named,
        kind=TargetKind.FLAT if flat else TargetKind.SET,
        quantity=quantity,
        price=top.last,
        stop_distance=top.last / 10,
        sleeves={} if flat else {"trend": quantity},
        expires_at=expires_at,
    )
    decision = make_decision(named, as_of=now, decided_at=now, expires_at=expires_at, snapshot_id=snapshot.snapshot_id)
    assert desk.ledger.record_decision(decision, snapshot, [target])
    return named


def execute(desk: Desk, named: str) -> Execution:
    return execute_decision(desk, named, run_id=named, gate=open_gate)


def held(desk: Desk) -> Decimal:
    position = desk.ledger.position("main", BTC)
    return position.amount if position else Decimal(0)


def test_a_round_trip_leaves_ledger_and_exchange_equal(desk: Desk) -> None:
    report = execute(desk, decide(desk, "a" * 32))
    assert report.orders[0].state == OrderState.FILLED
    assert report.latency_s is not None
    assert report.latency_s < 5
    guard = Guard(desk, "guard:test")
    guard.cycle()
    assert [order.symbol for order in desk.venue.open_orders() if order.stop_price] == [BTC]
    execute(desk, decide(desk, "b" * 32, flat=True))
    assert desk.venue.open_orders() == []
    bid, rules = desk.venue.book_tops([BTC])[BTC].bid, desk.venue.markets()[BTC]
    assert is_dust(held(desk), bid, rules)
    reconcile(desk, full=True)
    assert residuals_of(desk, desk.venue.account()) == {}
    assert desk.ledger.live_orders("main") == []


def test_a_request_lost_before_its_effect_is_not_sent_again(exchange: RunningExchange, desk: Desk) -> None:
    named = decide(desk, "a" * 32)
    exchange.fault("lost_before_effect", path="/api/v3/order", method="POST", count=1)
    execute(desk, named)
    exchange.heal()
    (order,) = desk.ledger.orders("main")
    assert order.state == OrderState.UNKNOWN
    execute(desk, decide(desk, "b" * 32))
    assert desk.venue.orders(BTC, datetime.now(UTC) - timedelta(minutes=5)) == []
    late = replace(desk, now=lambda: datetime.now(UTC) + timedelta(minutes=2))
    for _ in range(3):
        reconcile(late)
    ended = desk.ledger.order(order.client_order_id)
    assert ended is not None
    assert ended.state == OrderState.ABSENT
    execute(desk, decide(desk, "c" * 32))
    assert held(desk) > 0


def used_weight(exchange: RunningExchange) -> int:
    """What the exchange has counted of this address in its present minute, by its own header."""
    with urllib.request.urlopen(f"{exchange.url}/api/v3/ping", timeout=5) as answer:
        return int(answer.headers["X-MBX-USED-WEIGHT-1M"])


def test_a_cycle_of_the_guard_weighs_what_the_budget_says(exchange: RunningExchange, desk: Desk) -> None:
    """Account 20 and open orders 80 of the exchange's 6,000 a minute; prices of what is held and a ping beside them."""
    assert execute_decision(desk, decide(desk, "buy"), run_id="buy", gate=open_gate).orders
    guard = Guard(desk, holder="guard:test")
    for _ in range(3):
        guard.cycle()
    for _ in range(5):
        # Where the exchange's minute ends in between, its count begins anew: measure once more.
        guard.account_read_at = datetime.now(UTC) - timedelta(minutes=1)
        before = used_weight(exchange)
        guard.cycle()
        cost = used_weight(exchange) - before
        if cost > 0:
            break
    assert 100 <= cost <= 110
