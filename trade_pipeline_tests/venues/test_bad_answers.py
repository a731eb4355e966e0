"""Answers bent in every way: each is read or is a typed error that says what was wrong. Nothing else comes out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trade_pipeline.errors import MalformedAnswer, OutcomeUnknown
from trade_pipeline.schemas.trading import OrderRequest, OrderType, Side
from trade_pipeline.venues.answers import (
    distinct,
    malformed,
    read_account,
    read_book_top,
    read_fee_rates,
    read_order,
    read_server_time,
    read_trade,
)
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline.venues.klines import read_klines
from trade_pipeline.venues.market_rules import read_listing
from trade_pipeline_tests.venues.scripted_exchange import Answer, ScriptedExchange, listed

BTC = "BTC/USDT"
AT_MS = 1_700_000_000_000
FILL: dict[str, Any] = {"tradeId": 5, "price": "100.5", "qty": "0.5", "commission": "0.1", "commissionAsset": "USDT"}
ORDER: dict[str, Any] = {
    "symbol": "BTCUSDT", "orderId": 7, "clientOrderId": "0a" * 16, "price": "100.5", "origQty": "0.5",
    "executedQty": "0.5", "cummulativeQuoteQty": "50.25", "status": "FILLED", "type": "LIMIT", "side": "BUY",
    "stopPrice": "0.0", "transactTime": AT_MS, "fills": [FILL],
}  # fmt: skip
TRADE: dict[str, Any] = {
    "symbol": "BTCUSDT", "id": 5, "orderId": 7, "price": "100.5", "qty": "0.5", "commission": "0.1",
    "commissionAsset": "USDT", "time": AT_MS, "isBuyer": True, "isMaker": False,
}  # fmt: skip
ACCOUNT: dict[str, Any] = {
    "balances": [{"asset": "BTC", "free": "1.5", "locked": "0.5"}],
    "commissionRates": {"maker": "0.001", "taker": "0.001"},
}
TICKER: dict[str, Any] = {
    "symbol": "BTCUSDT", "bidPrice": "1", "bidQty": "1", "askPrice": "2", "askQty": "1", "lastPrice": "1",
    "closeTime": AT_MS,
}  # fmt: skip

KLINE: list[Any] = [AT_MS, "1", "2", "0.5", "1.5", "10", AT_MS + 59_999, "15", 3, "5", "7", "0"]

READERS: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "order": (ORDER, lambda raw: read_order(raw, BTC)),
    "trade": (TRADE, lambda raw: read_trade(raw, BTC)),
    "account": (ACCOUNT, lambda raw: read_account(raw, datetime.now(UTC))),
    "fee rates": (ACCOUNT, read_fee_rates),
    "ticker": (TICKER, lambda raw: read_book_top(raw, BTC)),
    "time": ({"serverTime": AT_MS}, read_server_time),
    "klines": ([KLINE, KLINE], lambda raw: read_klines(raw, BTC, "binance")),
    "symbols": ({"symbols": [listed()]}, read_listing),
}

ODD_WORDS = ["NaN", "Infinity", "-1", "1e999999", "", "null", "\u0663", "0x10", "1_000", " 1 "]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from([*ODD_WORDS, -1, 10**30, "9" * 5000, [], {}, [None], {"a": 1}]),
)
MISSING = object()


def places(raw: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value within an answer."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(raw, dict):
        inner = list(raw.items())
    elif isinstance(raw, list):
        inner = list(enumerate(raw))
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def bent(raw: Any, path: tuple[Any, ...], value: object) -> Any:
    if not path:
        return None if value is MISSING else value
    changed = copy.deepcopy(raw)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    if value is MISSING:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_bent_answer_is_read_or_is_a_typed_error(name: str, data: st.DataObject) -> None:
    raw, read = READERS[name]
    for _ in range(data.draw(st.integers(1, 2))):
        value = data.draw(st.one_of(st.just(MISSING), ODD))
        raw = bent(raw, data.draw(st.sampled_from(places(raw))), value)
    try:
        read(raw)
    except MalformedAnswer as error:
        assert error.repair
        assert "no readable" in error.message


@pytest.mark.parametrize("value", ["NaN", "inf", "", " 1 ", "1_000", "\u0663", "1e999999", "0x10", True, None, []])
def test_what_only_looks_like_a_number_is_none(value: object) -> None:
    with pytest.raises(MalformedAnswer, match=r"BTC/USDT.*origQty"):
        read_order({**ORDER, "origQty": value}, BTC)


def test_numbers_for_strings_and_strings_for_numbers_are_read_exactly() -> None:
    order = read_order({**ORDER, "orderId": "7", "origQty": 0.5, "transactTime": str(AT_MS), "fills": []}, BTC)
    assert (order.order_id, order.amount) == ("7", Decimal("0.5"))


@pytest.mark.parametrize("field", ["qty", "price"])
@pytest.mark.parametrize("value", ["0", "0.00000000", "-1", "NaN", None])
def test_a_fill_of_nothing_is_no_fill(field: str, value: object) -> None:
    with pytest.raises(MalformedAnswer, match=f"BTC/USDT.*{field}"):
        read_trade({**TRADE, field: value}, BTC)
    with pytest.raises(MalformedAnswer, match=f"BTC/USDT.*{field}"):
        read_order({**ORDER, "fills": [{**FILL, field: value}]}, BTC)


def test_a_trade_told_twice_is_one_and_two_trades_with_one_id_are_an_error() -> None:
    trade = read_trade(TRADE, BTC)
    assert distinct([trade, trade]) == [trade]
    with pytest.raises(MalformedAnswer, match=r"two different trades \(got '5'\)"):
        distinct([trade, read_trade({**TRADE, "qty": "0.6"}, BTC)])
    with pytest.raises(MalformedAnswer, match="two different trades"):
        read_order({**ORDER, "fills": [FILL, {**FILL, "price": "99"}]}, BTC)


def test_the_error_names_symbol_value_and_repair() -> None:
    error = malformed("status", "ODD", BTC)
    assert (error.thing, error.value, bool(error.repair)) == (BTC, "ODD", True)


@pytest.mark.parametrize(
    "change",
    [{"status": "SOMETHING_NEW"}, {"origQty": None}, {"fills": [{**FILL, "qty": "0"}]}, {"fills": [FILL, None]}],
)
def test_an_order_whose_answer_cannot_be_read_is_unknown_and_sent_once(
    exchange: ScriptedExchange, trading: BinanceTrading, change: dict[str, Any]
) -> None:
    exchange.says("POST", "order", Answer({**ORDER, **change}))
    with pytest.raises(OutcomeUnknown, match=r"BTC/USDT.*do not send it again"):
        trading.create(OrderRequest("0a" * 16, BTC, Side.BUY, OrderType.LIMIT, Decimal("0.5"), Decimal("100.5")))
    assert len(exchange.asked("POST", "order")) == 1
