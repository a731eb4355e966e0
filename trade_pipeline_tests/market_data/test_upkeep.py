"""A night's upkeep: fewer files, a short log, and every moment reads as it did before."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from trade_pipeline.market_data.content_hash import content_hash
from trade_pipeline.market_data.lake import Lake
from trade_pipeline.market_data.upkeep import keep_up
from trade_pipeline.schemas import frames
from trade_pipeline_tests.market_data.frames_of import START, bars

DAY, NEXT_DAY = "2024-05-01", "2024-05-02"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Forty small commits over two days; every tenth one corrects bars that were there."""
    lake = Lake(tmp_path)
    for number in range(40):
        frame = bars(4, first=1420 + number)
        if number % 10 == 9:
            frame = frame.with_columns(volume=frame.get_column("volume") + number)
        lake.append("raw_bars", frame, frames.BAR_KEY, START + number * MINUTE)
    return lake


def seen_hashes(lake: Lake) -> list[str]:
    moments = [START + number * MINUTE for number in range(41)]
    return [content_hash(lake.read("raw_bars", [DAY, NEXT_DAY], as_seen=at), frames.BAR_KEY) for at in moments]


def files_in(folder: Path, pattern: str) -> int:
    return len(list(folder.rglob(pattern)))


def test_what_a_decision_cites_reads_the_same_after_its_files_are_gone(lake: Lake, tmp_path: Path) -> None:
    before = seen_hashes(lake)
    parquet_before = files_in(tmp_path / "raw_bars" / f"date={DAY}", "*.parquet")
    (health,) = keep_up(lake, today=date(2024, 5, 3), keep_hours=0)

    assert (health.days, health.days_merged, health.files) == (2, 2, 2)
    assert health.files_removed >= parquet_before > 10
    assert files_in(tmp_path / "raw_bars" / f"date={DAY}", "*.parquet") == 1
    assert len(set(before)) > 30, "the moments differ, or the comparison proves nothing"
    assert seen_hashes(lake) == seen_hashes(Lake(tmp_path)) == before
    assert health.rows == lake.history("raw_bars", [DAY, NEXT_DAY]).height


def test_the_live_day_is_left_to_its_writer(lake: Lake, tmp_path: Path) -> None:
    files_before = files_in(tmp_path / "raw_bars" / f"date={NEXT_DAY}", "*.parquet")
    (health,) = keep_up(lake, today=date(2024, 5, 2), keep_hours=0)
    assert health.days_merged == 1
    assert files_in(tmp_path / "raw_bars" / f"date={NEXT_DAY}", "*.parquet") == files_before > 1


def test_files_are_kept_as_long_as_a_version_may_be_asked_for(lake: Lake, tmp_path: Path) -> None:
    before = files_in(tmp_path / "raw_bars", "*.parquet")
    (health,) = keep_up(lake, today=date(2024, 5, 3), keep_hours=24)
    assert health.files_removed == 0
    assert files_in(tmp_path / "raw_bars", "*.parquet") >= before


def test_another_night_changes_nothing(lake: Lake) -> None:
    keep_up(lake, today=date(2024, 5, 3), keep_hours=0)
    (again,) = keep_up(lake, today=date(2024, 5, 3), keep_hours=0)
    assert (again.days_merged, again.files_removed, again.files_before) == (0, 0, again.files)


def test_a_writer_goes_on_where_it_was(lake: Lake, tmp_path: Path) -> None:
    keep_up(Lake(tmp_path), today=date(2024, 5, 3), keep_hours=0)
    assert lake.append("raw_bars", bars(4, first=1429), frames.BAR_KEY, START + timedelta(hours=2)).rows_revised > 0
    assert lake.append("raw_bars", bars(4, first=1429), frames.BAR_KEY, START + timedelta(hours=3)).rows_added == 0


def test_tables_that_do_not_exist_are_left_out(tmp_path: Path) -> None:
    assert keep_up(Lake(tmp_path), today=date(2024, 5, 3), keep_hours=24) == []
