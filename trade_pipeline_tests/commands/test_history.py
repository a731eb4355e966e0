"""Which days a backfill asks for."""

from __future__ import annotations

from datetime import date

import pytest

from trade_pipeline.commands.history import ASSETS, REPAIRED, contiguous, days_between, stretch
from trade_pipeline.errors import SettingsError

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
