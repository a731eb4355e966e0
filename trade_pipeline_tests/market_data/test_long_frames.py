"""What spans many days at once is stored, revised and read as if it had come day by day."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from trade_pipeline.market_data import delta
from trade_pipeline.market_data.cutting import DAYS_TOGETHER_MAX
from trade_pipeline.market_data.lake import CACHED_DAYS_MAX, Lake
from trade_pipeline.schemas import frames
from trade_pipeline_tests.market_data.frames_of import START, bars

DAYS = DAYS_TOGETHER_MAX + CACHED_DAYS_MAX + 3
SYMBOLS = ("BTC/USDT", "ETH/USDT")
LATER = START + timedelta(days=400)


def long_frame(*symbols: str) -> pl.DataFrame:
    """Two bars around each of many midnights: DAYS days of each symbol, sorted by key."""
    parts = [bars(2, first=1440 * day - 1, symbols=symbols) for day in range(1, DAYS)]
    return pl.concat(parts).sort(frames.BAR_KEY)


def by_day(frame: pl.DataFrame) -> list[pl.DataFrame]:
    dated = frame.with_columns(pl.col("open_time").dt.date().alias("_day"))
    return dated.partition_by("_day", include_key=False, maintain_order=True)


def whole(lake: Lake) -> pl.DataFrame:
    """Every revision, in one order."""
    return lake.history("raw_bars", lake.days("raw_bars")).sort(*frames.BAR_KEY, "revision")


def test_it_is_stored_as_its_days_would_be(tmp_path: Path) -> None:
    frame = long_frame(*SYMBOLS)
    together, apart = Lake(tmp_path / "together"), Lake(tmp_path / "apart")
    result = together.append("raw_bars", frame, known_at=START)
    assert (result.rows_added, result.rows_revised) == (frame.height, 0)
    for day in by_day(frame):
        apart.append("raw_bars", day, known_at=START)
    assert len(together.days("raw_bars")) == DAYS
    assert_frame_equal(whole(together), whole(apart))
    assert len(together.versions("raw_bars")) == 2, "the table's making and one commit"


def test_again_it_adds_nothing_and_what_changed_is_a_revision(tmp_path: Path) -> None:
    frame = long_frame(*SYMBOLS)
    lake = Lake(tmp_path)
    lake.append("raw_bars", frame, known_at=START)
    for again in (lake, Lake(tmp_path)):
        assert again.append("raw_bars", frame.reverse(), known_at=LATER).rows_added == 0
    odd = (pl.col("open_time").dt.day() == 7) & (pl.col("symbol") == "ETH/USDT")
    corrected = frame.with_columns(volume=pl.when(odd).then(None).otherwise("volume"))
    result = lake.append("raw_bars", corrected, known_at=LATER)
    assert (result.rows_added, result.rows_revised) == (0, frame.filter(odd).height)
    days = lake.days("raw_bars")
    for reader in (lake, Lake(tmp_path)):
        assert_frame_equal(reader.read("raw_bars", days), corrected)
        assert_frame_equal(reader.read("raw_bars", days, as_seen=START), frame)
        assert_frame_equal(pl.concat([reader.read("raw_bars", [day]) for day in days]).sort(frames.BAR_KEY), corrected)


def test_a_day_that_was_read_before_is_seen_with_what_came_since(tmp_path: Path) -> None:
    lake, frame = Lake(tmp_path), long_frame("BTC/USDT")
    lake.append("raw_bars", by_day(frame)[0], known_at=START)
    day = lake.days("raw_bars")[0]
    assert lake.read("raw_bars", [day]).height == 1
    lake.append("raw_bars", long_frame(*SYMBOLS), known_at=START)
    assert lake.read("raw_bars", [day]).get_column("symbol").to_list() == ["BTC/USDT", "ETH/USDT"]


def test_of_many_symbols_only_files_that_may_hold_its_own_are_read(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for symbol in SYMBOLS:
        lake.append("raw_bars", long_frame(symbol), known_at=START)
    days, opened = lake.days("raw_bars"), lake.opened("raw_bars")
    assert len(delta.files_of(opened, days)) == 2 * DAYS
    assert len(delta.files_of(opened, days, {"symbol": ["ETH/USDT"]})) == DAYS
    assert delta.files_of(opened, days, {"symbol": ["SOL/USDT"]}) == []
    assert lake.append("raw_bars", long_frame("ETH/USDT"), known_at=LATER).rows_added == 0


def test_a_lost_race_is_compared_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, other, frame = Lake(tmp_path), Lake(tmp_path), long_frame(*SYMBOLS)
    lake.append("raw_bars", frame.head(1), known_at=START)
    real, races = delta.commit, iter([True])

    def commit_after_another(opened: object, rows: pl.DataFrame) -> bool:
        if next(races, False):
            other.append("raw_bars", frame.head(50), known_at=START)
        return real(opened, rows)

    monkeypatch.setattr(delta, "commit", commit_after_another)
    assert lake.append("raw_bars", frame, known_at=START).rows_added == frame.height - 50
    assert_frame_equal(Lake(tmp_path).read("raw_bars", lake.days("raw_bars")), frame)
