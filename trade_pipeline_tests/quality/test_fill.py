"""Places of what is missing or rejected: kept by flagged bars, never at a price that a later stage could trade on."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from trade_pipeline.settings.quality import QualitySettings
from trade_pipeline_tests.made_bars import MINUTE, START
from trade_pipeline_tests.quality.judged import AS_OF, BAD, CLEAN, COUNT, SCOPE, at, changed, verdict


def test_the_place_of_a_quarantined_bar_carries_the_last_close_and_is_flagged() -> None:
    judged = verdict(changed(590, low=-1.0))
    (filler,) = judged.bars.filter(pl.col("synthetic")).rows(named=True)
    before = CLEAN.filter(at(589)).item(0, "close")
    assert [filler[name] for name in ("open", "high", "low", "close", "volume")] == [before] * 4 + [0.0]
    assert filler["repair"] == "in place of a quarantined bar (non_positive_price)"
    assert judged.bars.height == CLEAN.height


def test_nothing_is_made_up_at_the_end_where_decisions_are_taken() -> None:
    judged = verdict(changed(COUNT - 1, close=-1.0, low=-1.0))
    assert judged.bars.filter(pl.col("symbol") == BAD).get_column("open_time").max() == AS_OF - 2 * MINUTE
    assert BAD in judged.held


def test_a_missing_minute_is_an_error_where_the_source_fills_them_and_none_where_it_does_not() -> None:
    hole = CLEAN.filter(~at(590))
    assert list(verdict(hole).held) == [BAD]
    quiet = verdict(hole.with_columns(source=pl.lit("kraken")))
    assert not quiet.held
    assert quiet.failures.get_column("severity").to_list() == ["WARN"]
    assert quiet.bars.filter(at(590)).get_column("synthetic").to_list() == [True]
    assert quiet.scores.get_column("score").min() == 1.0


def test_a_long_hole_is_an_outage_for_every_source_and_is_not_filled() -> None:
    hole = CLEAN.filter(
        (pl.col("symbol") != BAD) | ~pl.col("open_time").is_between(AS_OF - 100 * MINUTE, AS_OF - 60 * MINUTE)
    )
    judged = verdict(hole.with_columns(source=pl.lit("kraken")))
    assert (judged.filled, judged.missing) == (0, 41)
    assert list(judged.held) == [BAD]


def test_a_minute_that_the_source_filled_is_accepted_and_flagged_and_may_be_refused() -> None:
    still = pl.col("open")
    last = changed(COUNT - 1, high=still, low=still, close=still, volume=0.0, trades=0)
    judged = verdict(last)
    assert judged.accepted == CLEAN.height and not judged.held
    assert judged.bars.filter(at(COUNT - 1)).get_column("synthetic").to_list() == [True]
    strict = replace(SCOPE, settings=QualitySettings(synthetic_bars_refused=True))
    assert list(verdict(last, strict).held) == [BAD]


@pytest.mark.parametrize("gone", [{100}, {0, 1, COUNT - 1}, {5, 6, 300, 302, 304, 305}, set(range(2, COUNT, 2))])
def test_fillers_stand_in_their_places_however_many_there_are(gone: set[int]) -> None:
    """The first and last bars of a symbol have no place between two bars."""
    missing = pl.col("open_time").is_in([AS_OF - (COUNT - minute) * MINUTE for minute in gone])
    judged = verdict(CLEAN.filter(~missing).with_columns(source=pl.lit("kraken")))
    inside = {minute for minute in gone if any(m < minute for m in set(range(COUNT)) - gone)} - {COUNT - 1}
    assert judged.filled == 3 * len(inside)
    assert judged.bars.equals(judged.bars.sort("symbol", "open_time"))
    fillers = judged.bars.filter(pl.col("synthetic"))
    before = CLEAN.filter(~missing).select("symbol", "open_time", "close")
    carried = fillers.join_asof(
        before, on="open_time", by="symbol", strategy="backward", suffix="_before", check_sortedness=False
    )
    assert fillers.height == judged.filled
    assert carried.get_column("close").equals(carried.get_column("close_before"), check_names=False)


def test_an_outage_among_a_few_bars_is_not_what_makes_such_holes_likely() -> None:
    ends = (pl.col("open_time") <= START) | (pl.col("open_time") >= AS_OF - 2 * MINUTE)
    sparse = CLEAN.filter((pl.col("symbol") != BAD) | ends).with_columns(pl.lit("kraken").alias("source"))
    judged = verdict(sparse)
    assert judged.filled == 0 and list(judged.held) == [BAD]
    assert f"misses {COUNT - 3} bars" in judged.held[BAD]
