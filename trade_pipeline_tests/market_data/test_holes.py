"""A hole is asked for again, soon while it may still be filled, and seldom once a source has shown it has none."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from trade_pipeline.market_data.fetch import next_wanted
from trade_pipeline.market_data.holes import (
    EVERY_FIFTH_ANSWERS,
    EVERY_RUN_ANSWERS,
    HOURLY_MINUTE,
    AskedHoles,
    holes_in,
)
from trade_pipeline_tests.market_data.frames_of import START, bars

MINUTE = timedelta(minutes=1)
BOTH = ("BTC/USDT", "ETH/USDT")
GAP = START + 4 * MINUTE


def without(minute: datetime, symbol: str = "BTC/USDT") -> pl.DataFrame:
    return bars(10, symbols=BOTH).filter((pl.col("open_time") != minute) | (pl.col("symbol") != symbol))


def asked_for(holes: AskedHoles, stored: pl.DataFrame, as_of: datetime) -> set[str]:
    """Symbols of which a run asks more than the newest bars."""
    wanted = next_wanted(stored, BOTH, START, holes.at(as_of))
    return {symbol for symbol, since in wanted.items() if since < START + 8 * MINUTE}


def test_gaps_and_impossible_bars_are_holes() -> None:
    broken = pl.col("open_time") == START + 7 * MINUTE
    stored = without(GAP).with_columns(pl.when(broken).then(-pl.col("low")).otherwise("low").alias("low"))
    found = holes_in(stored, START).sort("symbol", "minute").rows()
    assert found == [("BTC/USDT", GAP), ("BTC/USDT", START + 7 * MINUTE), ("ETH/USDT", START + 7 * MINUTE)]
    assert holes_in(bars(10), START).is_empty()
    assert holes_in(bars(10).clear(), START).is_empty()


def test_a_minute_that_a_source_leaves_out_is_asked_for_ever_less_often() -> None:
    holes, stored = AskedHoles(), without(GAP)
    first = START + 10 * MINUTE
    asked: list[datetime] = []
    for run in range(600):
        as_of = first + run * MINUTE
        if asked_for(holes, stored, as_of):
            asked.append(as_of)
        holes.answered(BOTH)
    assert asked[:EVERY_RUN_ANSWERS] == [first + run * MINUTE for run in range(EVERY_RUN_ANSWERS)]
    fifth = asked[EVERY_RUN_ANSWERS:EVERY_FIFTH_ANSWERS]
    assert all(moment.minute % 5 == 0 for moment in fifth)
    assert fifth[-1] - fifth[0] <= timedelta(hours=1)
    hourly = asked[EVERY_FIFTH_ANSWERS:]
    assert len(hourly) == 9
    assert all(moment.minute == HOURLY_MINUTE for moment in hourly)


def test_many_such_minutes_cost_one_long_read_an_hour() -> None:
    """Each with a time of its own would be a long read in every run."""
    holes = AskedHoles()
    first, long_reads = START + 120 * MINUTE, 0
    stored = bars(120).filter(pl.col("open_time").dt.minute() % 2 == 0)
    for run in range(240):
        as_of = first + run * MINUTE
        wanted = next_wanted(stored, BOTH, START, holes.at(as_of))
        long_reads += run >= 120 and min(wanted.values()) < START + 60 * MINUTE
        holes.answered(BOTH)
    assert long_reads == 2


def test_a_source_that_does_not_answer_is_asked_on() -> None:
    holes, stored = AskedHoles(), without(GAP)
    for run in range(50):
        assert asked_for(holes, stored, START + (11 + run) * MINUTE) == {"BTC/USDT"}
        holes.answered(["ETH/USDT"])


def test_a_hole_that_is_found_later_is_asked_for_at_once() -> None:
    holes = AskedHoles()
    for run in range(100):
        asked_for(holes, without(GAP), START + (11 + run) * MINUTE)
        holes.answered(BOTH)
    as_of = START + 111 * MINUTE
    assert asked_for(holes, without(GAP), as_of) == set()
    two = pl.concat([without(GAP).filter(pl.col("symbol") == "BTC/USDT"), without(GAP, "ETH/USDT")]).unique()
    both = two.filter(~((pl.col("symbol") == "ETH/USDT") & (pl.col("open_time") == GAP)))
    assert asked_for(holes, both, as_of) == {"ETH/USDT"}


def test_a_hole_that_was_filled_and_opens_again_counts_anew() -> None:
    holes = AskedHoles()
    for run in range(100):
        asked_for(holes, without(GAP), START + (11 + run) * MINUTE)
        holes.answered(BOTH)
    assert asked_for(holes, bars(10), START + 111 * MINUTE) == set()
    assert asked_for(holes, without(GAP), START + 112 * MINUTE) == {"BTC/USDT"}
