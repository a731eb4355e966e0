"""Holes are found by symbol and day, and what stands on a filled one is known by the look-back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from trade_pipeline.market_data.lake import Lake
from trade_pipeline.market_data.repair import Hole, followers, holes, outdated, summary
from trade_pipeline.schemas import frames
from trade_pipeline_tests.market_data.frames_of import START, bars

DAYS = ["2024-05-01", "2024-05-02", "2024-05-03", "2024-05-04"]
KNOWN = datetime(2024, 5, 4, 12, tzinfo=UTC)


def stored(folder: Path, frame: pl.DataFrame) -> pl.DataFrame:
    lake = Lake(folder)
    lake.append("raw_bars", frame, frames.BAR_KEY, KNOWN)
    return summary(lake, DAYS)


def holes_of(found: pl.DataFrame, days: Sequence[str] = DAYS) -> list[Hole]:
    return holes(found, days[0], days[-1], lambda day: None)


@pytest.fixture(scope="module")
def three_days() -> pl.DataFrame:
    return bars(3 * 1440)


def test_whole_days_have_no_hole(three_days: pl.DataFrame, tmp_path: Path) -> None:
    found = stored(tmp_path, three_days)
    assert found.get_column("bars").to_list() == [1440] * 6
    assert holes_of(found) == []


def test_a_hole_is_told_by_day_symbol_and_size(three_days: pl.DataFrame, tmp_path: Path) -> None:
    lost = pl.col("open_time").is_between(START + timedelta(hours=23), START + timedelta(hours=25), closed="left")
    (first, second) = holes_of(stored(tmp_path, three_days.filter(~(lost & (pl.col("symbol") == "ETH/USDT")))))
    assert (first.day, first.symbols, first.missing_bars) == ("2024-05-01", ("ETH/USDT",), 60)
    assert (second.day, second.missing_bars) == ("2024-05-02", 60)
    assert first.known_at == KNOWN


def test_a_day_that_is_gone_altogether_is_a_hole(three_days: pl.DataFrame, tmp_path: Path) -> None:
    gone = pl.col("open_time").dt.date() == START.date() + timedelta(days=1)
    (hole,) = holes_of(stored(tmp_path, three_days.filter(~gone)))
    assert (hole.day, hole.missing_bars, hole.symbols) == ("2024-05-02", 2 * 1440, ("BTC/USDT", "ETH/USDT"))


def test_a_new_listing_and_the_running_day_are_whole(three_days: pl.DataFrame, tmp_path: Path) -> None:
    listed = START + timedelta(hours=14)
    until = START + timedelta(days=2, hours=3)
    frame = three_days.filter((pl.col("open_time") >= listed) & (pl.col("open_time") < until))
    assert holes_of(stored(tmp_path, frame)) == []


def test_what_is_missing_at_the_border_of_a_day_shows_though_only_that_day_is_asked_for(
    three_days: pl.DataFrame, tmp_path: Path
) -> None:
    second, third = START + timedelta(days=1), START + timedelta(days=2)
    at_its_begin = pl.col("open_time").is_between(second, second + timedelta(hours=5), closed="left")
    at_its_end = pl.col("open_time").is_between(third - timedelta(hours=2), third, closed="left")
    lost = at_its_begin & (pl.col("symbol") == "BTC/USDT") | at_its_end & (pl.col("symbol") == "ETH/USDT")
    (hole,) = holes_of(stored(tmp_path, three_days.filter(~lost)), ["2024-05-02"])
    assert (hole.day, hole.symbols, hole.missing_bars) == ("2024-05-02", ("BTC/USDT", "ETH/USDT"), 7 * 60)


def test_a_symbol_that_a_day_was_not_decided_on_misses_nothing(three_days: pl.DataFrame, tmp_path: Path) -> None:
    gone = (pl.col("open_time").dt.date() == START.date() + timedelta(days=1)) & (pl.col("symbol") == "ETH/USDT")
    found = stored(tmp_path, three_days.filter(~gone))
    traded = {"2024-05-02": ("BTC/USDT",)}
    assert [hole.symbols for hole in holes_of(found)] == [("ETH/USDT",)]
    assert holes(found, DAYS[0], DAYS[-1], traded.get) == []


def test_a_revision_is_no_second_bar(three_days: pl.DataFrame, tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("raw_bars", three_days, frames.BAR_KEY, KNOWN)
    later = KNOWN + timedelta(hours=1)
    lake.append("raw_bars", three_days.head(10).with_columns(volume=pl.lit(1.5)), frames.BAR_KEY, later)
    found = summary(lake, DAYS)
    assert holes_of(found) == []
    assert found.filter(pl.col("date") == DAYS[0]).get_column("known_at").max() == later


@pytest.mark.parametrize(
    ("warmup_bars", "expected"),
    [(0, ["2024-05-01"]), (600, ["2024-05-01", "2024-05-02"]), (1440, ["2024-05-01", "2024-05-02"]), (1441, DAYS[:3])],
)
def test_the_days_that_follow_are_those_of_the_look_back(warmup_bars: int, expected: list[str]) -> None:
    assert followers(["2024-05-01"], warmup_bars, "2024-05-04") == expected


def test_nothing_follows_after_the_last_day() -> None:
    assert followers(["2024-05-03", "2024-05-04"], 600, "2024-05-04") == ["2024-05-03", "2024-05-04"]


def test_a_day_is_outdated_when_a_bar_of_its_window_came_after_it_was_computed(
    three_days: pl.DataFrame, tmp_path: Path
) -> None:
    found = stored(tmp_path, three_days)
    before, after = KNOWN - timedelta(minutes=1), KNOWN + timedelta(minutes=1)
    assert outdated(found, {"2024-05-01": after, "2024-05-02": before}, 600) == {"2024-05-02": KNOWN}
    # The window of the 4th begins on the 3rd, that of the 5th does not, and nothing is stored of the 4th.
    assert set(outdated(found, {"2024-05-04": before, "2024-05-05": before}, 600)) == {"2024-05-04"}
    assert outdated(found, {}, 600) == {}
