"""ccxt's real synchronous class against scripted answers over real sockets."""

from __future__ import annotations

import logging
import os
import traceback
from decimal import Decimal
from typing import Any

import pytest

from trade_pipeline.errors import (
    Banned,
    InsufficientFunds,
    OrderNotFound,
    OrderRefused,
    OutcomeUnknown,
    RateLimited,
    SymbolUnknown,
    VenueUnavailable,
)
from trade_pipeline.schemas.trading import OrderRequest, OrderState, OrderType, Side
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline.venues.order_params import plain
from trade_pipeline_tests.venues.scripted_exchange import SERVER_TIME_MS, Answer, ScriptedExchange, refusal

CLIENT_ID = "7c01" + "0" * 28


def market_order(**changes: Any) -> OrderRequest:
    fields: dict[str, Any] = {
        "client_order_id": CLIENT_ID,
        "symbol": "BTC/USDT",
        "side": Side.SELL,
        "type": OrderType.MARKET,
        "amount": Decimal("0.001000000000000000"),
    }
    return OrderRequest(**{**fields, **changes})


def placed(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "orderId": 28,
        "clientOrderId": CLIENT_ID,
        "transactTime": SERVER_TIME_MS,
        "price": "0.00000000",
        "origQty": "0.00100000",
        "executedQty": "0.00100000",
        "cummulativeQuoteQty": "60.0",
        "status": "FILLED",
        "type": "MARKET",
        "side": "SELL",
        "fills": [
            {"price": "60000", "qty": "0.001", "commission": "0.06", "commissionAsset": "USDT", "tradeId": 5},
        ],
        **changes,
    }


def test_a_market_order_is_sent_once_signed_and_without_a_price(
    exchange: ScriptedExchange, trading: BinanceTrading
) -> None:
    exchange.says("POST", "order", Answer(placed()))
    order = trading.create(market_order())
    assert order.state == OrderState.FILLED
    assert order.trades[0].fee == Decimal("0.06")
    [sent] = exchange.asked("POST", "order")
    assert sent.api_key == "the-key"
    assert sent.params["newClientOrderId"] == CLIENT_ID
    assert sent.params["quantity"] == "0.001"
    assert sent.params["recvWindow"] == "5000"
    assert sent.params["signature"]
    assert not {"price", "quoteOrderQty", "timeInForce", "stopPrice"} & set(sent.params)


def test_a_stop_carries_its_trigger_and_a_stop_limit_both_prices(
    exchange: ScriptedExchange, trading: BinanceTrading
) -> None:
    exchange.says("POST", "order", Answer(placed(status="NEW", executedQty="0.0", fills=[])))
    trading.create(market_order(type=OrderType.STOP_LOSS, stop_price=Decimal(100)))
    trading.create(market_order(type=OrderType.STOP_LOSS_LIMIT, stop_price=Decimal(100), price=Decimal("99.50")))
    stop, stop_limit = exchange.asked("POST", "order")
    assert stop.params["stopPrice"] == "100"
    assert "price" not in stop.params
    assert (stop_limit.params["price"], stop_limit.params["timeInForce"]) == ("99.5", "GTC")


@pytest.mark.parametrize(
    "request_",
    [
        market_order(price=Decimal(1)),
        market_order(type=OrderType.LIMIT),
        market_order(type=OrderType.STOP_LOSS),
        market_order(type=OrderType.STOP_LOSS, stop_price=Decimal(1), price=Decimal(1)),
    ],
)
def test_an_order_with_a_price_too_many_or_too_few_is_not_sent(
    exchange: ScriptedExchange, trading: BinanceTrading, request_: OrderRequest
) -> None:
    with pytest.raises(OrderRefused):
        trading.create(request_)
    assert exchange.asked("POST", "order") == []


@pytest.mark.parametrize(
    "answer",
    [
        Answer(cut=True),
        Answer("<html>bad gateway</html>", 502),
        Answer("not json at all"),
        Answer({"orderId": 1}),
        refusal(-1007, "Timeout waiting for response from backend server.", 504),
        Answer(placed(), delay_s=5.0),
    ],
)
def test_an_order_without_a_readable_answer_is_unknown_and_never_sent_again(
    exchange: ScriptedExchange, trading: BinanceTrading, answer: Answer
) -> None:
    exchange.says("POST", "order", answer)
    with pytest.raises(OutcomeUnknown):
        trading.create(market_order())
    assert len(exchange.asked("POST", "order")) == 1


def test_a_clock_that_is_off_is_set_and_the_same_order_id_sent_again(
    exchange: ScriptedExchange, trading: BinanceTrading
) -> None:
    exchange.says("POST", "order", refusal(-1021, "Timestamp for this request was 1000ms ahead."), Answer(placed()))
    trading.create(market_order())
    first, second = exchange.asked("POST", "order")
    assert first.params["newClientOrderId"] == second.params["newClientOrderId"] == CLIENT_ID
    assert abs(int(second.params["timestamp"]) - SERVER_TIME_MS) < 2000


def test_a_clock_that_stays_off_is_given_up_within_bounds(exchange: ScriptedExchange, trading: BinanceTrading) -> None:
    exchange.says("POST", "order", refusal(-1021, "Timestamp for this request is outside of the recvWindow."))
    with pytest.raises(VenueUnavailable):
        trading.create(market_order())
    assert len(exchange.asked("POST", "order")) == 3


def test_a_refusal_is_not_repeated(exchange: ScriptedExchange, trading: BinanceTrading) -> None:
    exchange.says("POST", "order", refusal(-2010, "Account has insufficient balance for requested action."))
    with pytest.raises(InsufficientFunds):
        trading.create(market_order())
    assert len(exchange.asked("POST", "order")) == 1


def test_after_429_nothing_is_sent_until_the_time_has_passed(
    exchange: ScriptedExchange, trading: BinanceTrading
) -> None:
    exchange.says("POST", "order", refusal(-1003, "Too much request weight used.", 429, Retry_After="30"))
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            trading.create(market_order())
        assert 29 < caught.value.retry_after_s <= 30
    assert len(exchange.asked("POST", "order")) == 1


def test_reads_that_used_up_their_own_budget_do_not_hold_an_order_back(exchange: ScriptedExchange) -> None:
    venue = BinanceTrading(exchange.url, "k", "s", weight_per_minute=100, read_attempts_max=1)
    exchange.says("POST", "order", Answer(placed()))
    venue.markets()
    with pytest.raises(RateLimited):
        for _ in range(3):
            venue.account()
    assert venue.create(market_order()).state == OrderState.FILLED
    venue.close()


def test_a_ban_silences_every_request(exchange: ScriptedExchange, trading: BinanceTrading) -> None:
    exchange.says("GET", "account", refusal(-1003, "Way too much request weight used.", 418, Retry_After="600"))
    trading_calls = (trading.account, trading.server_time)
    for call in trading_calls:
        with pytest.raises(Banned):
            call()
    assert len(exchange.seen) == 1


def test_a_read_is_repeated_when_the_exchange_stumbles(exchange: ScriptedExchange, trading: BinanceTrading) -> None:
    balances = [{"asset": "BTC", "free": "1.5", "locked": "0.5"}]
    exchange.says("GET", "account", Answer("<html>", 502), Answer(cut=True), Answer({"balances": balances}))
    assert trading.account().total("BTC") == 2


def test_a_cancel_is_not_repeated_once_it_may_have_been_executed(
    exchange: ScriptedExchange, trading: BinanceTrading
) -> None:
    exchange.says("DELETE", "order", Answer(cut=True))
    with pytest.raises(OutcomeUnknown):
        trading.cancel("BTC/USDT", CLIENT_ID)
    assert len(exchange.asked("DELETE", "order")) == 1


def test_a_cancel_that_was_certainly_not_executed_is_repeated(
    exchange: ScriptedExchange, trading: BinanceTrading
) -> None:
    done = placed(status="CANCELED", origClientOrderId=CLIENT_ID, clientOrderId="the-cancels-own")
    exchange.says("DELETE", "order", refusal(-1008, "Server is overloaded.", 503), Answer(done))
    assert trading.cancel("BTC/USDT", CLIENT_ID).client_order_id == CLIENT_ID


def test_an_order_that_is_not_there_is_not_found(exchange: ScriptedExchange, trading: BinanceTrading) -> None:
    exchange.says("GET", "order", refusal(-2013, "Order does not exist."))
    exchange.says("DELETE", "order", refusal(-2011, "Unknown order sent."))
    with pytest.raises(OrderNotFound):
        trading.order("BTC/USDT", CLIENT_ID)
    with pytest.raises(OrderNotFound):
        trading.cancel("BTC/USDT", CLIENT_ID)


def test_a_symbol_that_is_not_listed_is_refused_before_anything_is_sent(
    exchange: ScriptedExchange, trading: BinanceTrading
) -> None:
    with pytest.raises(SymbolUnknown):
        trading.create(market_order(symbol="NONE/USDT"))
    assert exchange.asked("POST", "order") == []


def test_rules_carry_the_accounts_own_fees(trading: BinanceTrading) -> None:
    rules = trading.markets()["BTC/USDT"]
    assert (rules.maker_fee_rate, rules.taker_fee_rate) == (Decimal("0.0007"), Decimal("0.0009"))


def test_trades_are_read_from_an_id_on(exchange: ScriptedExchange, trading: BinanceTrading) -> None:
    exchange.says("GET", "myTrades", Answer([]))
    assert trading.trades("BTC/USDT", "41") == []
    assert exchange.asked("GET", "myTrades")[0].params["fromId"] == "41"


def test_no_key_no_secret_and_no_signature_reaches_an_error_or_a_log(
    exchange: ScriptedExchange, trading: BinanceTrading, caplog: pytest.LogCaptureFixture
) -> None:
    exchange.says("GET", "account", Answer(cut=True))
    with caplog.at_level(logging.DEBUG), pytest.raises(VenueUnavailable) as caught:
        trading.account()
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    signature = exchange.asked("GET", "account")[0].params["signature"]
    for secret in (signature, "the-key", "the-secret"):
        assert secret not in told


def test_a_refused_connection_is_unavailable_and_not_unknown() -> None:
    with ScriptedExchange() as gone:
        venue = BinanceTrading(gone.url, "k", "s", read_attempts_max=1)
        venue.markets()
        venue.close()
    with pytest.raises(VenueUnavailable):
        venue.create(market_order())


def test_a_forked_child_makes_its_own_connections(exchange: ScriptedExchange, trading: BinanceTrading) -> None:
    trading.account()
    child = os.fork()
    if child == 0:
        try:
            trading.account()
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    trading.account()


@pytest.mark.parametrize(
    ("value", "written"), [("1E-8", "0.00000001"), ("100", "100"), ("1.500", "1.5"), ("2.000", "2"), ("1E+3", "1000")]
)
def test_decimals_are_written_without_exponent_or_idle_zeros(value: str, written: str) -> None:
    assert plain(Decimal(value)) == written
