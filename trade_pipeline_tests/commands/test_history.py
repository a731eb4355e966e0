"""Which days a backfill asks for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from trade_pipeline.commands.history import ASSETS, REPAIRED, contiguous, days_between, missing, stretch
from trade_pipeline.errors import SettingsError
from trade_pipeline.market_data.lake import Lake
from trade_pipeline.schemas import frames
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.market_data.frames_of import START, bars

TODAY = date(2024, 3, 2)


def test_both_ends_belong_to_it_across_a_leap_day() -> None:
    assert days_between("2024-02-28", "2024-03-01", TODAY) == ["2024-02-28", "2024-02-29", "2024-03-01"]


def test_the_present_day_is_the_last_one() -> None:
    assert days_between("2024-03-01", "2024-03-05", TODAY) == ["2024-03-01", "2024-03-02"]
    with pytest.raises(SettingsError, match="has not begun"):
        days_between("2024-03-03", "2024-03-03", TODAY)


def test_history_never_reaches_what_trades() -> None:
    assert "approved_targets" not in (*ASSETS, *REPAIRED)


def test_a_stretch_of_days_is_one_run() -> None:
    assert contiguous([]) == []
    assert contiguous(["2024-02-28", "2024-02-29", "2024-03-01", "2024-03-05"]) == [
        ["2024-02-28", "2024-02-29", "2024-03-01"],
        ["2024-03-05"],
    ]


def test_one_day_is_told_as_one() -> None:
    assert stretch(["2024-02-28"]) == "1 day, 2024-02-28"
    assert stretch(["2024-02-28", "2024-02-29"]) == "2 days, 2024-02-28 to 2024-02-29"


def test_a_day_is_held_against_those_around_it_and_the_symbols_that_were_traded(tmp_path: Path) -> None:
    lake, second = Lake(tmp_path), START + timedelta(days=1)
    lost = pl.col("open_time").is_between(second, second + timedelta(hours=5), closed="left")
    lake.append("raw_bars", bars(3 * 1440).filter(~lost), known_at=datetime(2024, 5, 4, tzinfo=UTC))
    (hole,) = missing(lake, Settings(), "2024-05-02", "2024-05-02")
    assert (hole.symbols, hole.missing_bars) == (("BTC/USDT", "ETH/USDT"), 600)

    one = Settings.model_validate({"market": {"symbols": ["ETH/USDT"]}})
    assert [hole.symbols for hole in missing(lake, one, "2024-05-01", "2024-05-03")] == [("ETH/USDT",)]

    scanned = pl.DataFrame({"scanned_at": [START], "symbol": ["BTC/USDT"], "selected": [True], "reason": [""]})
    empty = [pl.lit(None, dtype).alias(name) for name, dtype in frames.UNIVERSE.items() if name not in scanned.columns]
    lake.append("universe", scanned.with_columns(empty), known_at=START)
    assert [hole.symbols for hole in missing(lake, Settings(), "2024-05-01", "2024-05-03")] == [("BTC/USDT",)]
