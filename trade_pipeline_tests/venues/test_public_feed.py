"""Trades and depth of six exchanges, as they document them, through ccxt's own classes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from trade_pipeline.errors import MalformedAnswer, SymbolUnknown
from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.venues.public_feed import TRADES_MAX, PublicFeed
from trade_pipeline.venues.unified_client import UnifiedOptions, unified_client
from trade_pipeline_tests.venues.dialects import BTC
from trade_pipeline_tests.venues.ledgers_of_exchanges import TIMES
from trade_pipeline_tests.venues.public_answers import MS, SYMBOLS
from trade_pipeline_tests.venues.recorded_transport import NOW_MS, RecordedTransport

ISO = datetime.fromtimestamp(MS / 1000, UTC).isoformat().replace("+00:00", "Z")
SETTINGS = MarketSettings(fetch_concurrency=1, request_timeout_s=1.0)
BOOK = [["100.5", "1.5"], ["100.4", "0"], ["100.3", "2"]], [["100.6", "0.5"], ["100.7", "4"]]


def levels(*keys: str) -> Any:
    """Both sides of BOOK under these names."""
    return dict(zip(keys, BOOK, strict=True))


DEPTHS: dict[str, dict[str, Any]] = {
    "kraken": {"/Depth": {"error": [], "result": {"XBTUSDT": {
        side: [[*row, MS // 1000] for row in rows] for side, rows in levels("bids", "asks").items()}}}},
    "bybit": {"/orderbook": {"retCode": 0, "result": {"s": "BTCUSDT", **levels("b", "a"), "ts": MS, "u": 1}}},
    "okx": {"/books": {"code": "0", "data": [{
        **{side: [[*row, "0", "1"] for row in rows] for side, rows in levels("bids", "asks").items()},
        "ts": str(MS)}]}},
    "coinbase": {"/product_book": {"pricebook": {"product_id": "BTC-USDT", "time": ISO, **{
        side: [{"price": price, "size": size} for price, size in rows]
        for side, rows in levels("bids", "asks").items()}}}},
    "kucoin": {"/orderbook/level2_20": {"code": "200000", "data": {"time": MS, "sequence": "1",
                                                                 **levels("bids", "asks")}}},
    "mexc": {"/depth": {"lastUpdateId": 1, **levels("bids", "asks")}},
}  # fmt: skip

TRADES: dict[str, dict[str, Any]] = {
    "kraken": {"/Trades": {"error": [], "result": {
        "XBTUSDT": [["100.5", "0.01", MS / 1000, "b", "l", "", 7]], "last": "1"}}},
    "bybit": {"/recent-trade": {"retCode": 0, "result": {"category": "spot", "list": [
        {"execId": "7", "symbol": "BTCUSDT", "price": "100.5", "size": "0.01", "side": "Buy", "time": str(MS)}]}}},
    "okx": {"/trades": {"code": "0", "data": [
        {"instId": "BTC-USDT", "tradeId": "7", "px": "100.5", "sz": "0.01", "side": "buy", "ts": str(MS)}]}},
    "coinbase": {"/ticker": {"trades": [
        {"trade_id": "7", "product_id": "BTC-USDT", "price": "100.5", "size": "0.01", "time": ISO, "side": "BUY"}],
        "best_bid": "1", "best_ask": "2"}},
    "kucoin": {"/market/histories": {"code": "200000", "data": [
        {"sequence": "7", "price": "100.5", "size": "0.01", "side": "buy", "time": MS * 1_000_000}]}},
    "mexc": {"/aggTrades": [
        {"a": None, "f": None, "l": None, "p": "100.5", "q": "0.01", "T": MS, "m": False, "M": True}]},
}  # fmt: skip
EACH = pytest.mark.parametrize("exchange", SYMBOLS)


@contextmanager
def opened(exchange: str, answers: dict[str, Any]) -> Iterator[PublicFeed]:
    transport = RecordedTransport({**SYMBOLS[exchange], **dict([TIMES[exchange]]), **answers})

    def made(options: UnifiedOptions, *, throttled: bool) -> Any:
        client = unified_client(options, throttled=throttled)
        client.milliseconds = lambda: NOW_MS
        client.rateLimit = 1  # what is measured here is no exchange's patience
        client.session.mount("https://", transport)
        return client

    with closing(PublicFeed(UnifiedOptions(exchange, None, 1.0), SETTINGS, make_client=made)) as feed:
        yield feed


@EACH
def test_the_book_is_best_first_and_empty_levels_are_left_out(exchange: str) -> None:
    with opened(exchange, DEPTHS[exchange]) as feed:
        depth = feed.depth(BTC, 20)
    assert depth.bids == ((Decimal("100.5"), Decimal("1.5")), (Decimal("100.3"), Decimal(2)))
    assert depth.asks == ((Decimal("100.6"), Decimal("0.5")), (Decimal("100.7"), Decimal(4)))


@EACH
def test_a_trade_has_time_price_amount_and_a_name_of_its_own(exchange: str) -> None:
    with opened(exchange, TRADES[exchange]) as feed:
        (trade,) = feed.public_trades(BTC, None)
        since = datetime.fromtimestamp(MS / 1000, UTC)
        assert feed.public_trades(BTC, since) == [trade]
        assert feed.public_trades(BTC, since + timedelta(milliseconds=1)) == []
    assert (trade.at_ms, trade.price, trade.amount) == (MS, Decimal("100.5"), Decimal("0.01"))
    assert not trade.buyer_is_maker
    assert trade.id


def test_an_unknown_symbol_is_asked_of_nobody() -> None:
    with opened("okx", {}) as feed:
        with pytest.raises(SymbolUnknown):
            feed.depth("NO/USDT", 20)
        with pytest.raises(SymbolUnknown):
            feed.public_trades("NO/USDT", None)


@pytest.mark.parametrize(("price", "size"), [("NaN", "1"), ("-1", "1"), ("1", "-2"), ("0", "1"), ("x", "1")])
def test_a_level_that_is_no_price_and_amount_is_malformed(price: str, size: str) -> None:
    bad = {"/depth": {"lastUpdateId": 1, "bids": [[price, size]], "asks": []}}
    with opened("mexc", bad) as feed, pytest.raises(MalformedAnswer):
        feed.depth(BTC, 20)


def test_a_market_that_trades_faster_than_it_is_read_says_so(caplog: pytest.LogCaptureFixture) -> None:
    rows = [
        {"execId": str(n), "symbol": "BTCUSDT", "price": "100", "size": "1", "side": "Buy", "time": str(MS)}
        for n in range(TRADES_MAX["bybit"])
    ]
    answers = {"/recent-trade": {"retCode": 0, "result": {"category": "spot", "list": rows}}}
    with opened("bybit", answers) as feed, caplog.at_level(logging.WARNING):
        assert len(feed.public_trades(BTC, datetime.fromtimestamp(MS / 1000, UTC))) == len(rows)
    assert "trades faster than it is read" in caplog.text
