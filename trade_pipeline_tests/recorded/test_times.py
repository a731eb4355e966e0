"""Where bars open in their length: days of Hong Kong, weeks of a Friday, hours of shares."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trade_pipeline.commands.quality import of_recording
from trade_pipeline.quality.recordings import judged_file
from trade_pipeline.settings.quality import QualitySettings
from trade_pipeline_tests.recorded.one_market import market, sheet, written

HEADER = "unix,open,high,low,close,volume"
DAY_S = 86_400


def report(folder: Path, length_s: int, start: datetime, shifted: dict[int, int] | None = None) -> dict[str, int]:
    """What the rules count in 200 bars from `start` on; `shifted` rows open so many seconds later."""
    rows = market(200, length_s, start)
    late = shifted or {}
    text = sheet(HEADER, rows, lambda row: (row.at + late.get(rows.index(row), 0), *_facts(row)))
    return dict(of_recording(judged_file(written(folder, "okx/BTC-USDT.csv", text), QualitySettings())).rules)


def _facts(row: object) -> list[object]:
    return [getattr(row, name) for name in ("open", "high", "low", "close", "volume")]


@pytest.mark.parametrize(
    ("length_s", "start"),
    [
        (DAY_S, datetime(2024, 1, 1, 16, tzinfo=UTC)),
        (7 * DAY_S, datetime(2020, 1, 3, tzinfo=UTC)),
        (7 * DAY_S, datetime(2020, 1, 6, tzinfo=UTC)),
        (3600, datetime(2024, 1, 1, 14, 30, tzinfo=UTC)),
        (14_400, datetime(2024, 1, 1, 1, tzinfo=UTC)),
    ],
)
def test_bars_that_all_open_at_one_place_of_their_length_are_on_their_grid(
    tmp_path: Path, length_s: int, start: datetime
) -> None:
    assert report(tmp_path, length_s, start) == {}


@pytest.mark.parametrize(
    ("length_s", "start"),
    [
        (DAY_S, datetime(2024, 1, 1, 16, 7, tzinfo=UTC)),
        (3600, datetime(2024, 1, 1, 14, 30, 1, tzinfo=UTC)),
        (60, datetime(2024, 1, 1, 0, 0, 30, tzinfo=UTC)),
        (300, datetime(2024, 1, 1, 0, 1, tzinfo=UTC)),
    ],
)
def test_a_place_that_nobody_chooses_is_none(tmp_path: Path, length_s: int, start: datetime) -> None:
    assert report(tmp_path, length_s, start)["misaligned"] == 200


def test_one_that_opens_elsewhere_than_the_others_is_off_their_grid(tmp_path: Path) -> None:
    late = timedelta(hours=3).seconds
    assert report(tmp_path, DAY_S, datetime(2024, 1, 1, 16, tzinfo=UTC), {90: late})["misaligned"] == 1
