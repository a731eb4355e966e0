"""A stop and a take-profit as one order list: through ccxt, against the simulated exchange and by script."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from trade_pipeline.errors import OrderNotFound, OrderRefused, OutcomeUnknown, VenueError
from trade_pipeline.schemas.trading import MarketRules, OrderRequest, OrderState, OrderType, Side
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline.venues.order_params import pair_params
from trade_pipeline_tests.exchange.servers import KEY, SECRET, running_server
from trade_pipeline_tests.venues.scripted_exchange import Answer, ScriptedExchange

ENTRY, STOP, PROFIT = "0a" * 16, "0b" * 16, "0c" * 16


@pytest.fixture(scope="module")
def venue() -> Iterator[BinanceTrading]:
    with running_server() as server:
        venue = BinanceTrading(server.url, KEY, SECRET)
        yield venue
        venue.close()


def legs(symbol: str, rules: MarketRules, amount: Decimal, last: Decimal) -> tuple[OrderRequest, OrderRequest]:
    """The take-profit above and the stop below."""

    def at(factor: str) -> Decimal:
        return (last * Decimal(factor) // rules.price_tick) * rules.price_tick

    above = OrderRequest(
        PROFIT, symbol, Side.SELL, OrderType.TAKE_PROFIT_LIMIT, amount, price=at("1.19"), stop_price=at("1.2")
    )
    return above, OrderRequest(STOP, symbol, Side.SELL, OrderType.STOP_LOSS, amount, stop_price=at("0.8"))


def test_both_legs_rest_lock_once_and_end_together(venue: BinanceTrading) -> None:
    symbol = min(venue.markets())
    rules, top = venue.markets()[symbol], venue.book_tops([symbol])[symbol]
    amount = (Decimal(200) / top.ask // rules.amount_step) * rules.amount_step
    venue.create(OrderRequest(ENTRY, symbol, Side.BUY, OrderType.MARKET, amount))
    held = ((amount * Decimal("0.99")) // rules.amount_step) * rules.amount_step
    above, below = legs(symbol, rules, held, top.last)
    locked = venue.account().balances[rules.base].locked

    upper, lower = venue.create_pair(above, below)

    assert [(leg.client_order_id, leg.type, leg.state) for leg in (upper, lower)] == [
        (PROFIT, OrderType.TAKE_PROFIT_LIMIT, OrderState.OPEN),
        (STOP, OrderType.STOP_LOSS, OrderState.OPEN),
    ]
    assert (upper.stop_price, lower.stop_price) == (above.stop_price, below.stop_price)
    assert venue.account().balances[rules.base].locked - locked == held
    assert {order.client_order_id for order in venue.open_orders(symbol)} == {STOP, PROFIT}

    cancelled = venue.cancel(symbol, PROFIT)

    assert (cancelled.client_order_id, cancelled.state) == (PROFIT, OrderState.CANCELED)
    assert venue.order(symbol, STOP).state is OrderState.CANCELED
    assert venue.open_orders(symbol) == []
    with pytest.raises(OrderNotFound):
        venue.cancel(symbol, STOP)


def test_legs_on_the_wrong_side_of_the_market_are_refused_and_nothing_rests(venue: BinanceTrading) -> None:
    symbol = min(venue.markets())
    rules, top = venue.markets()[symbol], venue.book_tops([symbol])[symbol]
    above, below = legs(symbol, rules, rules.amount_min * 1000, top.last / 2)
    with pytest.raises(OrderRefused):
        venue.create_pair(above, below)
    assert venue.open_orders(symbol) == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(cut=True), OutcomeUnknown),
        (Answer("<html>", 502), OutcomeUnknown),
        (Answer({"orderListId": 1, "orderReports": []}), OutcomeUnknown),
        (Answer({"orderListId": 1}), OutcomeUnknown),
        (Answer({"code": -2010, "msg": "The relationship of the prices for the orders is not correct."}, 400),
         OrderRefused),
    ],
)  # fmt: skip
def test_an_answer_that_names_no_legs_is_no_failure_and_it_is_sent_once(
    exchange: ScriptedExchange, trading: BinanceTrading, answer: Answer, error: type[VenueError]
) -> None:
    rules = trading.markets()["BTC/USDT"]
    exchange.says("POST", "orderList/oco", answer)
    with pytest.raises(error):
        trading.create_pair(*legs("BTC/USDT", rules, Decimal("0.01"), Decimal(50_000)))
    assert len(exchange.asked("POST", "orderList/oco")) == 1


def test_a_price_or_trigger_that_is_missing_is_refused_before_anything_is_sent() -> None:
    above = OrderRequest(PROFIT, "BTC/USDT", Side.SELL, OrderType.TAKE_PROFIT_LIMIT, Decimal(1), stop_price=Decimal(2))
    below = OrderRequest(STOP, "BTC/USDT", Side.SELL, OrderType.STOP_LOSS, Decimal(1), stop_price=Decimal(1))
    with pytest.raises(OrderRefused, match="needs a price"):
        pair_params(above, below, "BTCUSDT")
