"""A whole cycle through the venue of the table, on the simulated exchange and a real ledger, beside Binance's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from trade_pipeline.errors import OrderNotFound, OutcomeUnknown
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.execution.readback.reconcile import reconcile, residuals_of
from trade_pipeline.execution.rounding import amount_down
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import OrderRequest, OrderState, OrderType, Role, Side, VenueOrder
from trade_pipeline.venues.capabilities import OrderLimit
from trade_pipeline.venues.order_budget import OrderBudget
from trade_pipeline.venues.unified_client import UnifiedOptions
from trade_pipeline.venues.unified_trading import UnifiedTrading
from trade_pipeline_tests.exchange_process import KEY, SECRET, RunningExchange, running_exchange
from trade_pipeline_tests.execution.test_on_the_exchange import BTC, decide, execute, held


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    with running_exchange(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def venue(exchange: RunningExchange) -> Iterator[UnifiedTrading]:
    options = UnifiedOptions("binance", exchange.url, 2.0, KEY, SECRET)
    venue = UnifiedTrading(options, order_budget=OrderBudget(OrderLimit(1000, 10.0)))
    yield venue
    exchange.heal()
    venue.close()


@pytest.fixture
def desk(exchange: RunningExchange, venue: UnifiedTrading, ledger: Ledger) -> Desk:
    desk = Desk(ledger, venue, exchange.settings, exchange.home, lambda: datetime.now(UTC))
    reconcile(desk)
    return desk


def bare(order: VenueOrder) -> VenueOrder:
    """Binance's own answer to a new order brings its fills along; the other venue reads them by id."""
    return replace(order, trades=())


def test_a_cycle_through_the_table_leaves_a_ledger_that_binances_own_venue_agrees_with(
    exchange: RunningExchange, desk: Desk, venue: UnifiedTrading
) -> None:
    report = execute(desk, decide(desk, "a" * 32))
    assert report.orders[0].state == OrderState.FILLED
    Guard(desk, "guard:test").cycle()
    (stop,) = desk.ledger.live_orders("main")
    assert (stop.role, stop.state) == (Role.PROTECT, OrderState.OPEN)
    own = exchange.trading()
    Guard(replace(desk, venue=own), "guard:test").cycle()
    (beat,) = desk.ledger.heartbeats()
    assert 0 < int(str(beat.detail["used_weight"])) < int(str(beat.detail["weight_limit"]))
    try:
        since = datetime.now(UTC) - timedelta(minutes=10)
        assert venue.open_orders() == own.open_orders()
        assert [bare(order) for order in venue.orders(BTC, since)] == own.orders(BTC, since)
        assert venue.trades(BTC, "0") == own.trades(BTC, "0")
        assert venue.account().balances == own.account().balances
        beside = replace(desk, venue=own)
        before = desk.ledger.orders("main"), desk.ledger.fills("main"), desk.ledger.positions("main")
        assert reconcile(beside, full=True).new_fills == 0
        assert (desk.ledger.orders("main"), desk.ledger.fills("main"), desk.ledger.positions("main")) == before
        # And the other way round: what one venue has begun the other one ends.
        execute(beside, decide(beside, "b" * 32, flat=True))
        reconcile(desk, full=True)
        assert residuals_of(desk, venue.account()) == {}
        assert desk.ledger.live_orders("main") == []
        assert held(desk) < venue.markets()[BTC].amount_step
    finally:
        own.close()


@pytest.mark.parametrize(("kind", "arrives"), [("timeout", True), ("lost_before_effect", False)])
def test_an_answer_lost_before_or_after_the_effect_is_unknown_and_the_look_up_tells_which(
    exchange: RunningExchange, venue: UnifiedTrading, kind: str, arrives: bool
) -> None:
    named = f"7c01{int(arrives):028x}"
    rules, top = venue.markets()[BTC], venue.book_tops([BTC])[BTC]
    amount = amount_down(20 / top.ask, rules)
    exchange.fault(kind, method="POST", path="/api/v3/order", delay_s=0.05)
    with pytest.raises(OutcomeUnknown):
        venue.create(OrderRequest(named, BTC, Side.BUY, OrderType.MARKET, amount))
    exchange.heal()
    if arrives:
        assert venue.order(BTC, named).filled == amount
    else:
        with pytest.raises(OrderNotFound):
            venue.order(BTC, named)
