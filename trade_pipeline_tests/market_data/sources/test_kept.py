"""Only final bars are kept, the first source's before another's, and no more than the limit."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from trade_pipeline.market_data.sources.kept import MERGE_AFTER_FRAMES, KeptBars
from trade_pipeline_tests.market_data.frames_of import START, bars

NOW = START + timedelta(minutes=10)


def test_the_newest_row_of_an_answer_is_not_kept() -> None:
    kept = KeptBars(100)
    kept.put(bars(5), NOW, 0)
    entry = kept.get(["BTC/USDT"])["BTC/USDT"]
    assert entry.frame.equals(bars(4, symbols=("BTC/USDT",)))
    assert entry.fetched_at == NOW
    assert entry.source == "test"


def test_a_symbol_with_two_rows_for_one_minute_is_not_kept() -> None:
    kept = KeptBars(100)
    twice = pl.concat([bars(5), bars(1, first=2, symbols=("BTC/USDT",)).with_columns(close=pl.lit(7.0))])
    kept.put(twice, NOW, 0)
    assert set(kept.get(["BTC/USDT", "ETH/USDT"])) == {"ETH/USDT"}


def test_a_later_answer_replaces_and_adds() -> None:
    kept = KeptBars(100)
    kept.put(bars(5), NOW, 0)
    kept.put(bars(5, first=3).with_columns(close=pl.lit(7.0)), NOW + timedelta(minutes=1), 0)
    entry = kept.get(["ETH/USDT"])["ETH/USDT"]
    assert entry.frame["close"].to_list() == [101.0, 102.0, 103.0, 7.0, 7.0, 7.0, 7.0]
    assert entry.fetched_at == NOW + timedelta(minutes=1)


def test_a_secondary_fills_gaps_but_replaces_nothing_of_the_first_source() -> None:
    kept = KeptBars(100)
    kept.put(bars(5), NOW, 0)
    kept.put(bars(7).with_columns(close=pl.lit(7.0)), NOW + timedelta(minutes=1), 1)
    assert kept.get(["ETH/USDT"])["ETH/USDT"].frame["close"].to_list() == [101.0, 102.0, 103.0, 104.0, 7.0, 7.0]


def test_the_oldest_bars_go_when_there_are_too_many() -> None:
    kept = KeptBars(3)
    for first in range(MERGE_AFTER_FRAMES + 4):
        kept.put(bars(3, first=first), NOW, 0)
    entry = kept.get(["BTC/USDT"])["BTC/USDT"]
    assert entry.frame.height == 3
    assert entry.frame["open_time"].max() == START + timedelta(minutes=MERGE_AFTER_FRAMES + 4)


def test_stored_bars_are_as_old_as_their_last_one_and_replace_nothing() -> None:
    kept = KeptBars(100)
    kept.put(bars(5, symbols=("BTC/USDT",)), NOW, 0)
    kept.seed(bars(8).with_columns(close=pl.lit(7.0)))
    found = kept.get(["BTC/USDT", "ETH/USDT"])
    assert found["BTC/USDT"].frame.height == 4
    assert found["BTC/USDT"].fetched_at == NOW
    assert found["ETH/USDT"].frame.height == 7
    assert found["ETH/USDT"].fetched_at == START + timedelta(minutes=8)


def test_nothing_is_kept_of_a_symbol_that_never_answered() -> None:
    assert KeptBars(3).get(["BTC/USDT"]) == {}
