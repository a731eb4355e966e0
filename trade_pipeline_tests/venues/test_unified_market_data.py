"""Symbols, prices and candles of six exchanges as they document them, and Binance's from the simulated one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from trade_pipeline.errors import MalformedAnswer, SettingsError, SymbolUnknown, VenueUnavailable
from trade_pipeline.schemas.frames import BARS
from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline.venues.factory import make_market_data_venue
from trade_pipeline.venues.unified_client import UnifiedOptions, unified_client
from trade_pipeline.venues.unified_market_data import UnifiedMarketData
from trade_pipeline_tests.exchange.servers import running_server
from trade_pipeline_tests.venues.dialects import BTC
from trade_pipeline_tests.venues.ledgers_of_exchanges import TIMES
from trade_pipeline_tests.venues.public_answers import CANDLES, GRID, MS, SYMBOLS, TOLD, TOPS
from trade_pipeline_tests.venues.recorded_transport import NOW_MS, Failure, RecordedTransport

EACH = pytest.mark.parametrize("exchange", SYMBOLS)
OPENED = datetime.fromtimestamp(MS / 1000, UTC)
SETTINGS = MarketSettings(fetch_concurrency=2, request_timeout_s=1.0)


@contextmanager
def opened(exchange: str, answers: dict[str, Any]) -> Iterator[tuple[UnifiedMarketData, RecordedTransport]]:
    transport = RecordedTransport({**SYMBOLS[exchange], **dict([TIMES[exchange]]), **answers})

    def made(options: UnifiedOptions, *, throttled: bool) -> Any:
        client = unified_client(options, throttled=throttled)
        client.milliseconds = lambda: NOW_MS
        client.rateLimit = 1  # what is measured here is no exchange's patience
        client.session.mount("https://", transport)
        return client

    with closing(UnifiedMarketData(UnifiedOptions(exchange, None, 1.0), SETTINGS, make_client=made)) as venue:
        yield venue, transport


@EACH
def test_the_grid_of_orders_is_the_exchanges_own(exchange: str) -> None:
    with opened(exchange, {}) as (venue, _):
        rules = venue.markets()[BTC]
    grid = (rules.price_tick, rules.amount_step, rules.amount_min, rules.notional_min)
    assert grid == tuple(map(Decimal, GRID[exchange]))
    assert rules.active
    assert (rules.base, rules.quote) == ("BTC", "USDT")
    assert rules.amount_min <= rules.market_amount_max <= rules.amount_max
    assert 0 <= rules.maker_fee_rate <= rules.taker_fee_rate < Decimal("0.02")
    stops = {name for name in rules.order_types if "STOP" in name}
    assert stops == {"kraken": {"STOP_LOSS", "STOP_LOSS_LIMIT"}, "coinbase": {"STOP_LOSS_LIMIT"}}.get(exchange, set())


@EACH
def test_best_prices_are_read_with_a_time(exchange: str) -> None:
    with opened(exchange, TOPS[exchange]) as (venue, _):
        top = venue.book_tops([BTC, "NO/USDT"])[BTC]
    assert (top.bid, top.ask, top.last) == (Decimal(100), Decimal(101), Decimal("100.5"))
    if exchange != "coinbase":
        assert (top.bid_amount, top.ask_amount) == (Decimal("1.5"), Decimal("2.5"))
    assert abs(top.at - OPENED) < timedelta(minutes=5)


@EACH
def test_a_candle_is_a_bar_and_what_is_not_told_is_null(exchange: str) -> None:
    with opened(exchange, CANDLES[exchange]) as (venue, _):
        answer = venue.fetch_bars([BTC, "NO/USDT"], since=OPENED, until=OPENED + timedelta(minutes=5))
    assert list(answer.errors) == ["NO/USDT"]
    assert isinstance(answer.errors["NO/USDT"], SymbolUnknown)
    assert dict(answer.frame.schema) == BARS
    (bar,) = answer.frame.to_dicts()
    assert (bar["open"], bar["high"], bar["low"], bar["close"], bar["volume"]) == (1.0, 2.0, 0.5, 1.5, 10.0)
    assert (bar["open_time"], bar["close_time"]) == (OPENED, OPENED + timedelta(minutes=1))
    assert (bar["quote_volume"], bar["trades"]) == TOLD[exchange]
    assert bar["source"] == exchange


@EACH
def test_one_symbols_failure_is_its_own_and_a_broken_candle_is_malformed(exchange: str) -> None:
    path = next(iter(CANDLES[exchange]))
    with opened(exchange, {path: Failure(502, "<html>")}) as (venue, _):
        error = venue.fetch_bars([BTC], limit=1).errors[BTC]
    assert isinstance(error, VenueUnavailable)
    for odd in ("null", '"NaN"', '"x"', "[]", "true"):
        broken = json.loads(json.dumps(CANDLES[exchange]).replace('"1.0"', odd))
        with opened(exchange, broken) as (venue, _):
            answer = venue.fetch_bars([BTC], since=OPENED, until=OPENED + timedelta(minutes=5))
        assert answer.frame.is_empty()
        assert isinstance(answer.errors[BTC], MalformedAnswer), odd


def told_twice(node: Any) -> Any:
    """The answer with its one candle a second time, behind it, with another close."""
    if isinstance(node, dict):
        return {name: told_twice(value) for name, value in node.items()}
    if isinstance(node, list) and len(node) == 1 and isinstance(node[0], list | dict):
        return [node[0], json.loads(json.dumps(node[0]).replace('"1.5"', '"1.75"'))]
    return [told_twice(value) for value in node] if isinstance(node, list) else node


@EACH
def test_a_candle_that_is_told_twice_comes_with_both_rows(exchange: str) -> None:
    with opened(exchange, told_twice(CANDLES[exchange])) as (venue, _):
        frame = venue.fetch_bars([BTC], since=OPENED, until=OPENED + timedelta(minutes=5)).frame
    assert frame["open_time"].to_list() == [OPENED, OPENED]
    assert sorted(frame["close"]) == [1.5, 1.75]


def test_binances_own_reading_and_the_unified_one_bring_the_same_bars() -> None:
    with running_server(symbols=3) as server:
        own = BinanceMarketData(server.url, SETTINGS)
        unified = UnifiedMarketData(UnifiedOptions("binance", server.url, 5.0), SETTINGS)
        with closing(own), closing(unified):
            until = own.server_time().replace(second=0, microsecond=0) - timedelta(minutes=2)
            since = until - timedelta(minutes=1500)
            symbols = sorted(own.markets())
            assert unified.markets().keys() == own.markets().keys()
            theirs = own.fetch_bars(symbols, since, until).frame.sort("symbol", "open_time")
            ours = unified.fetch_bars(symbols, since, until).frame.sort("symbol", "open_time")
            assert ours.height == 4500
            assert ours.equals(theirs)


def test_a_venue_is_made_by_the_exchanges_name() -> None:
    assert isinstance(make_market_data_venue("binance", SETTINGS), BinanceMarketData)
    made = make_market_data_venue("kraken", SETTINGS)
    assert isinstance(made, UnifiedMarketData)
    assert made.name == "kraken"
    with pytest.raises(SettingsError, match="nothing is known"):
        make_market_data_venue("bitstamp", SETTINGS)
