"""The lake keeps every revision, adds nothing twice and reads back what was written."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from trade_pipeline.errors import DataError, LakeConflict
from trade_pipeline.market_data import delta
from trade_pipeline.market_data.lake import Lake
from trade_pipeline.market_data.revisions import revised_values
from trade_pipeline.market_data.tables import TABLES, Table
from trade_pipeline.schemas import frames
from trade_pipeline_tests.market_data.frames_of import START, bars

DAY, NEXT_DAY = "2024-05-01", "2024-05-02"


def test_what_was_written_reads_back_in_other_processes(tmp_path: Path) -> None:
    frame = bars(30, first=1430)
    result = Lake(tmp_path).append("raw_bars", frame, frames.BAR_KEY, START)
    assert (result.rows_added, result.rows_revised) == (60, 0)
    assert_frame_equal(Lake(tmp_path).read("raw_bars", [DAY, NEXT_DAY]), frame.sort(frames.BAR_KEY))
    assert Lake(tmp_path).read("raw_bars", [DAY]).height == 20
    assert Lake(tmp_path).days("raw_bars") == [DAY, NEXT_DAY]


def test_a_rerun_adds_nothing_and_has_the_same_hash(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    first = lake.append("raw_bars", bars(10), frames.BAR_KEY, START)
    for again in (lake, Lake(tmp_path)):
        second = again.append("raw_bars", bars(10).reverse(), frames.BAR_KEY, START + timedelta(hours=1))
        assert (second.rows_added, second.rows_revised, second.version) == (0, 0, first.version)
        assert second.content_hash == first.content_hash


def test_a_changed_row_is_a_revision_and_the_past_stays_readable(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("raw_bars", bars(10), frames.BAR_KEY, START)
    corrected = bars(12).with_columns(
        pl.when(pl.col("open_time") == START).then(pl.lit(None)).otherwise(pl.col("volume")).alias("volume")
    )
    result = lake.append("raw_bars", corrected, frames.BAR_KEY, START + timedelta(minutes=5))
    assert (result.rows_added, result.rows_revised) == (4, 2)
    for reader in (lake, Lake(tmp_path)):
        assert_frame_equal(reader.read("raw_bars", [DAY]), corrected.sort(frames.BAR_KEY))
        seen = reader.read("raw_bars", [DAY], as_seen=START + timedelta(minutes=4))
        assert_frame_equal(seen, bars(10).sort(frames.BAR_KEY))
        assert reader.read("raw_bars", [DAY], as_seen=START - timedelta(minutes=1)).is_empty()


def test_rows_that_fill_a_hole_or_are_left_out_change_no_other(tmp_path: Path) -> None:
    lake, whole = Lake(tmp_path), bars(6)
    hole = pl.col("open_time") == START + timedelta(minutes=2)
    assert lake.append("raw_bars", whole.filter(~hole), frames.BAR_KEY, START).rows_added == 10
    filled = lake.append("raw_bars", whole, frames.BAR_KEY, START + timedelta(minutes=6))
    assert (filled.rows_added, filled.rows_revised) == (2, 0)
    part = whole.tail(4).with_columns(pl.lit(7.0).alias("volume"))
    changed = lake.append("raw_bars", part, frames.BAR_KEY, START + timedelta(minutes=7))
    assert (changed.rows_added, changed.rows_revised) == (0, 4)
    expected = whole.sort(frames.BAR_KEY).join(part, on=frames.BAR_KEY, how="anti")
    for reader in (lake, Lake(tmp_path)):
        read = reader.read("raw_bars", [DAY])
        assert_frame_equal(read.sort(frames.BAR_KEY), read)
        assert_frame_equal(read.join(part, on=frames.BAR_KEY, how="anti"), expected, check_row_order=False)
        assert_frame_equal(read.join(part, on=frames.BAR_KEY, how="semi"), part, check_row_order=False)


def test_a_read_takes_only_the_rows_that_are_asked_for(tmp_path: Path) -> None:
    lake, whole = Lake(tmp_path), bars(30, first=1430).sort(frames.BAR_KEY)
    lake.append("raw_bars", whole, frames.BAR_KEY, START)
    late = pl.col("open_time") >= START + timedelta(minutes=1437)
    assert_frame_equal(lake.read("raw_bars", [DAY, NEXT_DAY], where=late), whole.filter(late))


def test_what_was_revised_since_is_read_as_it_was(tmp_path: Path) -> None:
    lake, whole = Lake(tmp_path), bars(5).sort(frames.BAR_KEY)
    lake.append("raw_bars", whole, frames.BAR_KEY, START)
    assert lake.before_revision("raw_bars", [DAY], START).is_empty()
    later = START + timedelta(minutes=9)
    lake.append("raw_bars", whole.head(3).with_columns(pl.lit(1.5).alias("volume")), frames.BAR_KEY, later)
    assert_frame_equal(lake.before_revision("raw_bars", [DAY], START), whole.head(3))
    assert lake.before_revision("raw_bars", [DAY], later).is_empty()


def test_two_writers_of_a_day_do_not_write_a_row_twice(tmp_path: Path) -> None:
    first, second = Lake(tmp_path), Lake(tmp_path)
    first.append("raw_bars", bars(2), frames.BAR_KEY, START)
    second.append("raw_bars", bars(4), frames.BAR_KEY, START)
    result = first.append("raw_bars", bars(5), frames.BAR_KEY, START)
    assert result.rows_added == 2
    assert_frame_equal(first.read("raw_bars", [DAY]), Lake(tmp_path).read("raw_bars", [DAY]))


def test_a_lost_race_is_compared_again_before_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, other = Lake(tmp_path), Lake(tmp_path)
    lake.append("raw_bars", bars(1), frames.BAR_KEY, START)
    real = delta.commit
    races = iter([True])

    def commit_after_another(opened: object, rows: pl.DataFrame) -> bool:
        if next(races, False):
            other.append("raw_bars", bars(3), frames.BAR_KEY, START)
        return real(opened, rows)

    monkeypatch.setattr(delta, "commit", commit_after_another)
    assert lake.append("raw_bars", bars(4), frames.BAR_KEY, START).rows_added == 2
    stored = Lake(tmp_path).read("raw_bars", [DAY])
    assert_frame_equal(stored, bars(4).sort(frames.BAR_KEY))


def test_a_race_that_is_always_lost_ends_with_a_conflict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(tmp_path)
    monkeypatch.setattr(delta, "commit", lambda opened, rows: False)
    with pytest.raises(LakeConflict, match="raw_bars"):
        lake.append("raw_bars", bars(1), frames.BAR_KEY, START)


def test_many_small_files_are_merged_and_old_versions_stay(tmp_path: Path) -> None:
    lake = Lake(tmp_path, compact_after_files=4)
    for minute in range(9):
        lake.append("raw_bars", bars(1, first=minute), frames.BAR_KEY, START + timedelta(minutes=minute))
    assert any(entry["operation"] == "OPTIMIZE" for entry in lake.versions("raw_bars"))
    for reader in (lake, Lake(tmp_path)):
        assert_frame_equal(reader.read("raw_bars", [DAY]), bars(9).sort(frames.BAR_KEY))
        assert reader.read("raw_bars", [DAY], as_seen=START + timedelta(minutes=2)).height == 6


def test_money_keeps_every_digit(tmp_path: Path) -> None:
    quantity = Decimal("0.000000000000000001")
    row = dict.fromkeys(frames.TARGETS) | {
        "decision_id": "d",
        "as_of": START,
        "symbol": "BTC/USDT",
        "kind": "SET",
        "quantity": quantity,
        "price": Decimal("12345678901234567890.5"),
    }
    frame = pl.DataFrame([row], schema=frames.TARGETS)
    Lake(tmp_path).append("target_positions", frame, known_at=START, day=DAY)
    assert_frame_equal(Lake(tmp_path).read("target_positions", [DAY]), frame)


def test_an_evaluation_keeps_its_warm_up_under_its_own_day(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    frame = pl.DataFrame(
        {"symbol": ["A/B"], "open_time": [START], "close_time": [START], "regime": ["range"]}, schema=frames.REGIMES
    )
    lake.append("regimes", frame, known_at=START, day=DAY)
    lake.append("regimes", frame.with_columns(pl.lit("volatile").alias("regime")), known_at=START, day=NEXT_DAY)
    assert lake.read("regimes", [DAY]).item(0, "regime") == "range"
    assert lake.read("regimes", [NEXT_DAY]).item(0, "regime") == "volatile"
    with pytest.raises(DataError, match="day"):
        lake.append("regimes", frame, known_at=START)


def test_a_table_that_does_not_exist_is_empty_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert lake.read("signals", [DAY]).schema == pl.Schema(frames.SIGNALS)
    assert lake.version("signals") == -1
    with pytest.raises(DataError, match="no such table"):
        lake.read("bras", [DAY])


def test_a_frame_that_lacks_a_column_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="volume"):
        Lake(tmp_path).append("raw_bars", bars(1).drop("volume"), frames.BAR_KEY, START)


def test_a_table_from_before_a_column_was_there_gets_it_and_is_read_with_nulls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Table("bars", frames.BARS, frames.BAR_KEY, "open_time")
    with monkeypatch.context() as before:
        before.setitem(TABLES, "bars", old)
        Lake(tmp_path).append("bars", bars(3), frames.BAR_KEY, START)
    lake = Lake(tmp_path)
    assert lake.read("bars", [DAY]).get_column("synthetic").null_count() == 6
    judged = bars(4).with_columns(synthetic=pl.lit(False), repair=pl.lit(None, pl.String))
    assert lake.append("bars", judged, frames.BAR_KEY, START + timedelta(minutes=5)).rows_revised == 6
    for reader in (lake, Lake(tmp_path)):
        assert reader.read("bars", [DAY]).get_column("synthetic").to_list() == [False] * 8


def test_a_past_moment_reads_as_it_was_seen_and_as_it_is_known_today(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    known = START + timedelta(minutes=5, seconds=1)
    lake.append("raw_bars", bars(5), frames.BAR_KEY, known)
    at_five = START + timedelta(minutes=5)
    changed = bars(7).with_columns(close=pl.when(pl.col("open_time") == START).then(7.5).otherwise("close"))
    lake.append("raw_bars", changed, frames.BAR_KEY, known + timedelta(minutes=2))

    seen = lake.as_seen("raw_bars", [DAY], known)
    revised = lake.as_revised("raw_bars", [DAY], at_five)
    assert seen.height == revised.height == 10, "what closed later belongs to neither"
    assert 7.5 not in seen.get_column("close")
    assert revised.filter(pl.col("open_time") == START).get_column("close").to_list() == [7.5, 7.5]
    before = lake.before_revision("raw_bars", [DAY], known)
    assert before.get_column("open_time").to_list() == [START, START]
    assert 7.5 not in before.get_column("close")
    assert lake.before_revision("raw_bars", [DAY], known + timedelta(minutes=3)).is_empty()


def test_what_was_changed_is_told_value_by_value(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("raw_bars", bars(3), frames.BAR_KEY, START)
    first = pl.col("open_time") == START
    changed = bars(3).with_columns(
        close=pl.when(first).then(7.5).otherwise("close"), volume=pl.when(first).then(None).otherwise("volume")
    )
    lake.append("raw_bars", changed, frames.BAR_KEY, START + timedelta(minutes=9))
    found = revised_values(lake.history("raw_bars", [DAY]), frames.BAR_KEY, ("open", "close", "volume"))
    assert found.select("column", "was", "is").unique().sort("column", "was").rows() == [
        ("close", 101.0, 7.5),
        ("volume", 10.0, None),
        ("volume", 11.0, None),
    ]
    assert found.get_column("known_at").unique().to_list() == [START + timedelta(minutes=9)]
    assert found.get_column("was_known_at").unique().to_list() == [START]
