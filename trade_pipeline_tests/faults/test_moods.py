"""An exchange that forgets and refuses, as its client sees it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trade_pipeline.errors import FilterViolation, OrderNotFound
from trade_pipeline.faults.clock import EPOCH, Clock
from trade_pipeline.faults.making import START, exchange_of
from trade_pipeline.faults.moods import MoodyExchange
from trade_pipeline.faults.scenario import make_scenario
from trade_pipeline.schemas.trading import OrderRequest, OrderType, Side, TimeInForce, VenueOrder


def opened() -> MoodyExchange:
    return exchange_of(make_scenario(7), Clock(START))


def offered(exchange: MoodyExchange, named: str, type_: OrderType = OrderType.STOP_LOSS_LIMIT) -> VenueOrder:
    """A sale of one step below the market, of coins that were just brought."""
    symbol = next(iter(exchange.paths))
    spec, price = exchange.engine.specs[symbol], exchange.engine.state.last_prices[symbol]
    level = price * Decimal("0.9")
    level -= level % spec.tick
    amount = spec.notional_min * 2 / level
    amount += spec.step - amount % spec.step
    exchange.engine.state.balances.add(spec.base, amount)
    stop = level if type_ is OrderType.STOP_LOSS_LIMIT else None
    timed = None if type_ is OrderType.MARKET else TimeInForce.GTC
    limit = None if type_ is OrderType.MARKET else level
    return exchange.create(
        OrderRequest(
            client_order_id=named,
            symbol=symbol,
            side=Side.SELL,
            type=type_,
            amount=amount,
            price=limit,
            stop_price=stop,
            time_in_force=timed,
        )
    )


def test_what_it_has_forgotten_is_in_no_list_under_no_id_and_locks_nothing() -> None:
    exchange = opened()
    stop = offered(exchange, "stop")
    base = stop.symbol.split("/")[0]
    before = exchange.account().balances[base]
    exchange.forget(exchange.engine.state.orders[int(stop.order_id)])

    assert exchange.open_orders(None) == []
    assert exchange.orders(stop.symbol, EPOCH) == []
    assert exchange.account().balances[base].locked == before.locked - stop.amount
    with pytest.raises(OrderNotFound):
        exchange.order(stop.symbol, "stop")
    with pytest.raises(OrderNotFound):
        exchange.cancel(stop.symbol, "stop")


def test_it_refuses_stops_of_one_symbol_for_so_long_and_nothing_else() -> None:
    exchange = opened()
    symbol = next(iter(exchange.paths))
    exchange.refuse_stops(symbol, 5, "filter")

    with pytest.raises(FilterViolation, match="MAX_NUM_ALGO_ORDERS"):
        offered(exchange, "too many")
    assert offered(exchange, "a sale", OrderType.MARKET).filled > 0
    exchange.clock.pass_by(6)
    assert offered(exchange, "again").order_id


def test_a_fall_comes_when_it_is_due() -> None:
    exchange = opened()
    symbol = next(iter(exchange.paths))
    for path in exchange.paths.values():
        path.frozen = True
    exchange.fall(symbol, 0.9, 3)
    before = last(exchange, symbol)
    exchange.clock.pass_by(2)
    assert last(exchange, symbol) == before
    exchange.clock.pass_by(2.5)
    assert last(exchange, symbol) < before * Decimal("0.91")


def last(exchange: MoodyExchange, symbol: str) -> Decimal:
    return exchange.book_tops([symbol])[symbol].last


def test_a_still_market_refuses_nothing() -> None:
    exchange = opened()
    exchange.refuse_stops(next(iter(exchange.paths)), 1000, "count")
    exchange.stand_still()
    assert offered(exchange, "stop").order_id
