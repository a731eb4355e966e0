"""Bursts of orders through ccxt's real classes before the simulated exchange, which counts them as Binance does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from trade_pipeline.schemas.trading import OrderRequest, OrderState, OrderType, Side
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline.venues.capabilities import capabilities_of
from trade_pipeline.venues.order_budget import OrderBudget
from trade_pipeline.venues.protocols import TradingVenue
from trade_pipeline.venues.unified_client import UnifiedOptions
from trade_pipeline.venues.unified_trading import UnifiedTrading
from trade_pipeline_tests.exchange.servers import KEY, SECRET, Running, running_server

BURST = 20


@pytest.fixture
def server() -> Iterator[Running]:
    with running_server(symbols=3, opening_balances={"USDT": 100_000}) as running:
        yield running


def waits(seconds: float) -> None:
    raise AssertionError(f"waited {seconds:.3f} s")


def orders_that_never_wait(path: Path) -> OrderBudget:
    return OrderBudget(capabilities_of("binance").order_limit, path, sleep=waits)


def own(server: Running, path: Path) -> BinanceTrading:
    return BinanceTrading(server.url, KEY, SECRET, order_budget=orders_that_never_wait(path))


def unified(server: Running, path: Path) -> UnifiedTrading:
    options = UnifiedOptions("binance", server.url, 5.0, KEY, SECRET)
    return UnifiedTrading(options, order_budget=orders_that_never_wait(path))


def orders(venue: TradingVenue, side: Side, number: int, first: int) -> Iterator[OrderState]:
    symbol = min(venue.markets())
    rules, top = venue.markets()[symbol], venue.book_tops([symbol])[symbol]
    step = rules.amount_step
    amount = (max(rules.notional_min * 2, Decimal(20)) / top.ask // step + 1) * step
    for each in range(first, first + number):
        yield venue.create(OrderRequest(f"{each:032x}", symbol, side, OrderType.MARKET, amount)).state


def spend_all(budget: OrderBudget, *, increases: bool) -> int:
    """How many orders another process may still send."""
    spent = 0
    while budget.take(1, increases=increases) == 0:
        spent += 1
    return spent


def test_twenty_purchases_leave_without_waiting_and_exits_after_them(server: Running, tmp_path: Path) -> None:
    path = tmp_path / "orders"
    with closing(own(server, path)) as venue, closing(own(server, path)) as guard:
        assert list(orders(venue, Side.BUY, BURST, 1)) == [OrderState.FILLED] * BURST
        assert spend_all(venue._order_budget, increases=True) > 0
        with pytest.raises(AssertionError, match="waited"):
            list(orders(venue, Side.BUY, 5, 100))
        assert list(orders(guard, Side.SELL, 10, 200)) == [OrderState.FILLED] * 10


def test_the_exchanges_own_limit_replaces_the_assumed_one(server: Running, tmp_path: Path) -> None:
    with closing(own(server, tmp_path / "orders")) as venue:
        assumed = venue._order_budget.burst
        venue.markets()
        assert (assumed, venue._order_budget.burst) == (30, 60)


def test_what_would_be_too_much_is_refused_before_it_is_sent(server: Running, tmp_path: Path) -> None:
    with closing(own(server, tmp_path / "orders")) as venue:
        sent: list[OrderState] = []
        with pytest.raises(AssertionError, match="waited"):
            sent.extend(orders(venue, Side.BUY, 100, 1))
        of_ten, of_day = server.context.weights.order_counts(int(time.time() * 1000))
        assert of_ten <= of_day == len(server.context.world.engine.state.orders) < 60


def test_through_unified_methods_a_burst_leaves_without_waiting_too(server: Running, tmp_path: Path) -> None:
    with closing(unified(server, tmp_path / "orders")) as venue:
        assert list(orders(venue, Side.BUY, BURST, 1)) == [OrderState.FILLED] * BURST
        assert list(orders(venue, Side.SELL, 5, 100)) == [OrderState.FILLED] * 5


@pytest.mark.parametrize("make", [own, unified])
def test_looking_up_and_listing_use_up_no_orders(
    server: Running, tmp_path: Path, make: Callable[[Running, Path], TradingVenue]
) -> None:
    with closing(make(server, tmp_path / "orders")) as venue:
        assert list(orders(venue, Side.BUY, 1, 1)) == [OrderState.FILLED]
        for _ in range(3):
            venue.order(min(venue.markets()), f"{1:032x}")
            venue.open_orders(min(venue.markets()))
        budget = OrderBudget(capabilities_of("binance").order_limit, tmp_path / "orders")
        assert spend_all(budget, increases=False) >= budget.burst - 1
