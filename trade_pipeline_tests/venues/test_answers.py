"""Recorded answers are read field by field, and nothing that is missing is made up."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from trade_pipeline.errors import MalformedAnswer, SymbolUnknown
from trade_pipeline.schemas.frames import BARS
from trade_pipeline.schemas.trading import OrderState, OrderType, Side
from trade_pipeline.venues.answers import read_account, read_book_top, read_fee_rates, read_order, read_trade
from trade_pipeline.venues.klines import pages, read_klines
from trade_pipeline.venues.market_rules import read_listing
from trade_pipeline_tests.shared import shared_path
from trade_pipeline_tests.venues.scripted_exchange import listed


def recorded(name: str) -> Any:
    return json.loads(shared_path(f"data/exchange_answers/binance/{name}_response.json").read_text())


def test_a_full_answer_brings_its_fills_with_fees() -> None:
    order = read_order(recorded("new_order_full"), "BTC/USDT")
    assert (order.state, order.type, order.side) == (OrderState.FILLED, OrderType.MARKET, Side.SELL)
    assert order.price is None
    assert [trade.trade_id for trade in order.trades] == ["56", "57", "58", "59", "60"]
    assert sum(trade.amount for trade in order.trades) == order.filled == Decimal(10)
    assert order.trades[0].fee == Decimal("4.00000000")
    assert order.trades[0].fee_asset == "USDT"
    assert order.trades[0].order_id == order.order_id == "28"


def test_a_cancel_answer_is_matched_by_the_orders_own_client_id() -> None:
    order = read_order(recorded("cancel_order"), "LTC/BTC")
    assert order.client_order_id == "myOrder1"
    assert order.state == OrderState.CANCELED


def test_queried_open_and_listed_orders_read_alike() -> None:
    queried = read_order(recorded("order"), "LTC/BTC")
    assert read_order(recorded("open_orders")[0], "LTC/BTC") == queried
    assert read_order(recorded("all_orders")[0], "LTC/BTC") == queried
    assert queried.price == Decimal("0.1")
    assert queried.stop_price is None
    assert queried.created_at == datetime(2017, 7, 12, 2, 41, 59, 559000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("NEW", OrderState.OPEN),
        ("PENDING_NEW", OrderState.OPEN),
        ("PARTIALLY_FILLED", OrderState.PARTIALLY_FILLED),
        ("FILLED", OrderState.FILLED),
        ("CANCELED", OrderState.CANCELED),
        ("PENDING_CANCEL", OrderState.PENDING_CANCEL),
        ("REJECTED", OrderState.REJECTED),
        ("EXPIRED", OrderState.EXPIRED),
        ("EXPIRED_IN_MATCH", OrderState.EXPIRED),
    ],
)
def test_every_status_of_the_exchange_has_a_state(status: str, state: OrderState) -> None:
    order = read_order({**recorded("order"), "status": status}, "LTC/BTC")
    assert order.state == state
    assert order.venue_status == status


def test_an_unknown_status_is_malformed_and_names_symbol_field_and_value() -> None:
    with pytest.raises(MalformedAnswer, match=r"LTC/BTC.*status.*HALF_DONE"):
        read_order({**recorded("order"), "status": "HALF_DONE"}, "LTC/BTC")


@pytest.mark.parametrize("field", ["orderId", "clientOrderId", "origQty", "executedQty", "cummulativeQuoteQty", "side"])
@pytest.mark.parametrize("value", [None, "", {}])
def test_an_order_with_an_unreadable_field_is_malformed(field: str, value: object) -> None:
    with pytest.raises(MalformedAnswer, match=field):
        read_order({**recorded("order"), field: value}, "LTC/BTC")


@pytest.mark.parametrize("value", ["nan", "Infinity", "1,5", True])
def test_an_amount_that_is_no_finite_number_is_malformed(value: object) -> None:
    with pytest.raises(MalformedAnswer, match="executedQty"):
        read_order({**recorded("order"), "executedQty": value}, "LTC/BTC")


def test_a_trade_is_read_exactly() -> None:
    trade = read_trade(recorded("account_trades")[0], "BNB/BTC")
    assert (trade.trade_id, trade.order_id, trade.side) == ("28457", "100234", Side.BUY)
    assert (trade.price, trade.amount) == (Decimal("4.00000100"), Decimal("12.00000000"))
    assert (trade.fee, trade.fee_asset, trade.is_maker) == (Decimal("10.10000000"), "BNB", False)


def test_an_account_reading_holds_free_and_locked_and_the_accounts_fee_rates() -> None:
    raw = recorded("account")
    reading = read_account(raw, datetime(2026, 1, 1, tzinfo=UTC))
    assert reading.free("BTC") == Decimal("4723846.89208129")
    assert reading.total("NONE") == 0
    assert read_fee_rates(raw) == (Decimal("0.0015"), Decimal("0.0015"))


def test_a_ticker_brings_bid_ask_last_and_the_exchanges_time() -> None:
    top = read_book_top(recorded("ticker_24hr"), "BNB/BTC")
    assert (top.bid, top.ask, top.last) == (Decimal("4.0"), Decimal("4.000002"), Decimal("4.000002"))
    assert top.at == datetime(2017, 7, 12, 14, 31, 39, 40000, tzinfo=UTC)


def test_klines_keep_trade_count_quote_volume_and_close_time() -> None:
    frame = read_klines(recorded("klines"), "BTC/USDT", "binance")
    assert dict(frame.schema) == BARS
    row = frame.row(0, named=True)
    assert (row["trades"], row["quote_volume"], row["volume"]) == (308, 2434.19055334, 148976.11427815)
    assert row["close_time"] == datetime(2017, 7, 10, tzinfo=UTC)


def test_klines_pass_duplicates_disorder_and_negative_prices_through() -> None:
    row = recorded("klines")[0]
    earlier = [row[0] - 60_000, "-1", *row[2:]]
    frame = read_klines([row, row, earlier], "BTC/USDT", "binance")
    assert frame.height == 3
    assert frame["open"].to_list()[-1] == -1.0
    assert not frame["open_time"].is_sorted()


@pytest.mark.parametrize("position", [0, 1, 4, 6, 7, 8])
@pytest.mark.parametrize("value", [None, "x", "NaN", True])
def test_a_kline_with_an_unreadable_field_is_malformed(position: int, value: object) -> None:
    row = list(recorded("klines")[0])
    row[position] = value
    with pytest.raises(MalformedAnswer, match="BTC/USDT"):
        read_klines([row], "BTC/USDT", "binance")


def test_a_kline_that_is_too_short_is_malformed() -> None:
    with pytest.raises(MalformedAnswer):
        read_klines([recorded("klines")[0][:5]], "BTC/USDT", "binance")


def test_rules_are_read_from_the_filters() -> None:
    rules = read_listing({"symbols": [listed()]}).rules["BTC/USDT"]
    assert rules.price_tick == Decimal("0.01")
    assert rules.amount_step == Decimal("0.00001")
    assert rules.market_amount_max == Decimal("120.5")
    assert rules.notional_min == Decimal(5)
    assert rules.active


def test_a_symbol_without_filters_does_not_keep_the_others_from_trading() -> None:
    known = read_listing({"symbols": [listed(), listed("ETHUSDT", "ETH", filters=[])]})
    assert set(known.rules) == {"BTC/USDT"}
    assert known.symbol_of({"symbol": "ETHUSDT"}) == "ETH/USDT"
    with pytest.raises(SymbolUnknown):
        known.id_of("DOGE/USDT")


def test_the_recorded_exchange_info_has_no_filters_and_says_so() -> None:
    with pytest.raises(MalformedAnswer, match=r"ETH/BTC.*PRICE_FILTER"):
        read_listing(recorded("exchange_info"))


def test_history_is_cut_into_windows_that_meet_without_overlap() -> None:
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    windows = pages(since, until, None)
    assert len(windows) == 2
    assert windows[0]["endTime"] + 1 == windows[1]["startTime"]
    assert windows[1]["endTime"] == 1767312000000 - 1
