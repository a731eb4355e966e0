"""One step that cancels and sends, or does nothing: the answers of both halves."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from trade_pipeline.errors import (
    CancelReplaceFailed,
    InsufficientFunds,
    OutcomeUnknown,
    VenueError,
)
from trade_pipeline.schemas.trading import OrderRequest, OrderState, OrderType, Side
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline_tests.exchange.servers import KEY, SECRET, running_server
from trade_pipeline_tests.venues.scripted_exchange import Answer, ScriptedExchange

OLD, NEW, ENTRY = "0b" * 16, "0c" * 16, "0d" * 16
SYMBOL = "BTC/USDT"
PATH = "order/cancelReplace"


@pytest.fixture(scope="module")
def venue() -> Iterator[BinanceTrading]:
    with running_server() as server:
        venue = BinanceTrading(server.url, KEY, SECRET)
        yield venue
        venue.close()


def _stop(own: str, symbol: str, amount: Decimal, at: Decimal) -> OrderRequest:
    return OrderRequest(own, symbol, Side.SELL, OrderType.STOP_LOSS, amount, stop_price=at)


def test_a_stop_becomes_a_sale_in_one_step_and_a_stop_that_is_gone_sells_nothing(venue: BinanceTrading) -> None:
    symbol = next(iter(sorted(venue.markets())))
    rules, top = venue.markets()[symbol], venue.book_tops([symbol])[symbol]
    amount = (Decimal(200) / top.ask // rules.amount_step) * rules.amount_step
    bought = venue.create(OrderRequest(ENTRY, symbol, Side.BUY, OrderType.MARKET, amount))
    assert bought.state is OrderState.FILLED
    held = ((amount * Decimal("0.99")) // rules.amount_step) * rules.amount_step
    trigger = (top.bid * Decimal("0.8") // rules.price_tick) * rules.price_tick
    venue.create(_stop(OLD, symbol, held, trigger))
    sold = venue.cancel_replace(symbol, OLD, OrderRequest(NEW, symbol, Side.SELL, OrderType.MARKET, held))
    assert (sold.client_order_id, sold.state, sold.filled) == (NEW, OrderState.FILLED, held)
    assert venue.order(symbol, OLD).state is OrderState.CANCELED
    with pytest.raises(CancelReplaceFailed):
        venue.cancel_replace(symbol, OLD, OrderRequest("0e" * 16, symbol, Side.SELL, OrderType.MARKET, held))
    assert venue.open_orders(symbol) == []


def _partly(code: object) -> Answer:
    """Cancelled, but no new order: the documented answer."""
    data: dict[str, Any] = {
        "cancelResult": "SUCCESS",
        "newOrderResult": "FAILURE",
        "cancelResponse": {},
        "newOrderResponse": {"code": code, "msg": "Account has insufficient balance for requested action."},
    }
    return Answer({"code": -2021, "msg": "Order cancel-replace partially failed.", "data": data}, 409)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_partly(-2010), InsufficientFunds),
        (_partly(-1007), OutcomeUnknown),
        (_partly(None), OutcomeUnknown),
        (Answer({"code": -2022, "msg": "Order cancel-replace failed."}, 400), CancelReplaceFailed),
        (Answer("<html>", 502), OutcomeUnknown),
        (Answer(cut=True), OutcomeUnknown),
        (Answer({"cancelResult": "SUCCESS", "newOrderResult": "SUCCESS", "newOrderResponse": None}), OutcomeUnknown),
    ],
)
def test_what_became_of_the_new_order_decides_and_it_is_sent_once(
    exchange: ScriptedExchange, trading: BinanceTrading, answer: Answer, error: type[VenueError]
) -> None:
    exchange.says("POST", PATH, answer)
    with pytest.raises(error, match=SYMBOL):
        trading.cancel_replace(SYMBOL, OLD, _stop(NEW, SYMBOL, Decimal(1), Decimal(90)))
    (seen,) = exchange.asked("POST", PATH)
    assert seen.params["cancelReplaceMode"] == "STOP_ON_FAILURE"
    assert (seen.params["cancelOrigClientOrderId"], seen.params["newClientOrderId"]) == (OLD, NEW)
