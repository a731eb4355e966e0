"""ccxt's real async class against scripted answers over real sockets."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from trade_pipeline.errors import BudgetSpent, MalformedAnswer, SymbolUnknown, VenueUnavailable
from trade_pipeline.schemas.frames import BARS
from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.venues import shared_budget
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline.venues.shared_budget import MARKET_SHARE, SharedBudget
from trade_pipeline_tests.venues.scripted_exchange import Answer, ScriptedExchange, refusal

START = datetime(2026, 1, 1, tzinfo=UTC)
BOTH = ["BTC/USDT", "ETH/USDT"]


def kline(minute: int, close: str = "1.5") -> list[Any]:
    open_ms = int(START.timestamp() * 1000) + 60_000 * minute
    return [open_ms, "1", "2", "0.5", close, "10", open_ms + 59_999, "15", 7, "1", "1", "0"]


def test_a_batch_brings_all_symbols_in_one_frame(exchange: ScriptedExchange, market_data: BinanceMarketData) -> None:
    exchange.says("GET", "klines", Answer([kline(0), kline(1), kline(2)]))
    answer = market_data.fetch_bars(BOTH, since=START, limit=3)
    assert dict(answer.frame.schema) == BARS
    assert answer.frame["symbol"].to_list() == ["BTC/USDT"] * 3 + ["ETH/USDT"] * 3
    assert set(answer.frame["source"]) == {"binance-sim"}
    assert answer.errors == {}
    assert {seen.params["symbol"] for seen in exchange.asked("GET", "klines")} == {"BTCUSDT", "ETHUSDT"}
    assert all(seen.api_key is None for seen in exchange.seen)


def test_one_symbols_failure_blocks_no_other(exchange: ScriptedExchange) -> None:
    venue = BinanceMarketData(exchange.url, MarketSettings(fetch_concurrency=1))
    exchange.says("GET", "klines", Answer([[1, 2]]), Answer([kline(0)]))
    answer = venue.fetch_bars([*BOTH, "NONE/USDT"], limit=1)
    venue.close()
    assert answer.frame["symbol"].to_list() == ["ETH/USDT"]
    assert isinstance(answer.errors["BTC/USDT"], MalformedAnswer)
    assert isinstance(answer.errors["NONE/USDT"], SymbolUnknown)


def test_a_read_is_repeated_and_given_up_within_bounds(
    exchange: ScriptedExchange, market_data: BinanceMarketData
) -> None:
    exchange.says("GET", "klines", Answer("<html>", 503), Answer([kline(0)]))
    assert market_data.fetch_bars(["BTC/USDT"], limit=1).errors == {}
    exchange.says("GET", "klines", refusal(-1000, "unknown", 500))
    assert isinstance(market_data.fetch_bars(["BTC/USDT"], limit=1).errors["BTC/USDT"], VenueUnavailable)
    assert len(exchange.asked("GET", "klines")) == 2 + 3


def test_history_beyond_one_answer_is_paged_and_keeps_its_order(
    exchange: ScriptedExchange, market_data: BinanceMarketData
) -> None:
    exchange.says("GET", "klines", Answer([kline(0)]))
    until = START + timedelta(minutes=2500)
    answer = market_data.fetch_bars(["BTC/USDT"], since={"BTC/USDT": START}, until=until)
    assert answer.frame.height == 3
    starts = sorted(int(seen.params["startTime"]) for seen in exchange.asked("GET", "klines"))
    assert [(start - starts[0]) // 60_000 for start in starts] == [0, 1000, 2000]


def test_while_history_waits_for_its_turn_the_bar_that_has_just_closed_does_not(
    exchange: ScriptedExchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_budget, "HISTORY_WAIT_S_MAX", 0.01)
    budget = SharedBudget(tmp_path / "weight", 6000.0)
    venue = BinanceMarketData(exchange.url, MarketSettings(read_attempts_max=1), budget=budget)
    exchange.says("GET", "klines", Answer([kline(0)]))
    venue.fetch_bars(BOTH, limit=1)
    budget.spend(6000 * MARKET_SHARE * 0.8)
    past = venue.fetch_bars(BOTH, since=START, until=START + timedelta(minutes=5))
    newest = venue.fetch_bars(BOTH, limit=1)
    venue.close()
    assert {type(error) for error in past.errors.values()} == {BudgetSpent} and len(past.errors) == 2
    assert newest.errors == {} and newest.frame.height == 2


def test_an_open_end_is_followed_until_a_page_is_short(
    exchange: ScriptedExchange, market_data: BinanceMarketData
) -> None:
    full, rest = [kline(minute) for minute in range(1000)], [kline(1000)]
    exchange.says("GET", "klines", Answer(full), Answer(rest))
    answer = market_data.fetch_bars(["BTC/USDT"], since=START)
    assert answer.frame.height == 1001
    assert answer.frame["open_time"].is_sorted()


def test_pages_that_do_not_advance_end_in_an_error(exchange: ScriptedExchange, market_data: BinanceMarketData) -> None:
    exchange.says("GET", "klines", Answer([kline(minute) for minute in range(1000)]))
    answer = market_data.fetch_bars(["BTC/USDT"], since=START)
    assert isinstance(answer.errors["BTC/USDT"], MalformedAnswer)


def ticker(name: str) -> dict[str, Any]:
    prices = {"bidPrice": "9", "bidQty": "1", "askPrice": "11", "askQty": "2", "lastPrice": "10"}
    return {"symbol": name, "closeTime": 1_700_000_000_000, **prices}


def test_best_prices_of_many_symbols_take_one_request(
    exchange: ScriptedExchange, market_data: BinanceMarketData
) -> None:
    exchange.says("GET", "ticker/24hr", Answer([ticker("BTCUSDT"), {**ticker("ETHUSDT"), "bidPrice": None}]))
    tops = market_data.book_tops([*BOTH, "NONE/USDT"])
    assert set(tops) == {"BTC/USDT"}
    assert tops["BTC/USDT"].bid == 9
    assert tops["BTC/USDT"].ask == 11
    [seen] = exchange.asked("GET", "ticker/24hr")
    assert seen.params["symbols"] == '["BTCUSDT","ETHUSDT"]'


def test_a_symbol_that_is_gone_costs_only_its_own_price(
    exchange: ScriptedExchange, market_data: BinanceMarketData
) -> None:
    gone = refusal(-1121, "Invalid symbol.")
    exchange.says("GET", "ticker/24hr", gone, gone, Answer(ticker("ETHUSDT")))
    assert set(market_data.book_tops(BOTH)) == {"ETH/USDT"}


def test_rules_that_cannot_be_read_again_stay_in_force(
    exchange: ScriptedExchange, market_data: BinanceMarketData
) -> None:
    before = market_data.markets()
    exchange.says("GET", "exchangeInfo", Answer("<html>", 503))
    assert market_data._listing is not None
    market_data._listing = (market_data._listing[0] - 3600, market_data._listing[1])
    assert market_data.markets() == before


def test_a_forked_child_makes_its_own_loop_and_connections(
    exchange: ScriptedExchange, market_data: BinanceMarketData
) -> None:
    market_data.server_time()
    child = os.fork()
    if child == 0:
        try:
            market_data.server_time()
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert market_data.server_time().tzinfo is not None
