"""Every way in which files write times: each means one moment, or the file is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from trade_pipeline.errors import ReplayFileError
from trade_pipeline.recorded.moments import utc_times

FILE = Path("BTC_USDT-1h.csv")
EVENING = datetime(2013, 2, 22, 23, tzinfo=UTC)


def moments(*values: object) -> tuple[list[datetime], bool]:
    times, are_days = utc_times(FILE, pl.Series("time", values, strict=False))
    return times.to_list(), are_days


@pytest.mark.parametrize(
    "text",
    [
        "2013-02-22 23:00",
        "2013-02-22T23:00:00.000Z",
        "2013-02-22 23:00:00 UTC",
        "2013-02-22 18:00:00-05:00",
        "2013/2/22 23:00:00",
        "2013.02.22 23:00",
        "20130222 23:00",
        "22.02.2013 23:00:00.000",
        "23.02.2013 00:00:00.000 GMT+0100",
        "2/22/2013 11:00:00 PM",
        "22/02/2013 23:00",
        "2013-02-22 11-PM",
        "1361574000",
        "1361574000.0",
        "1361574000000",
    ],
)
def test_a_text_that_can_mean_one_moment_only_is_read_as_it(text: str) -> None:
    assert moments(text) == ([EVENING], False)


@pytest.mark.parametrize("text", ["2013-02-22", "20130222", "2013/02/22", "22.02.2013", "2/22/2013"])
def test_a_date_is_a_trading_day(text: str) -> None:
    assert moments(text) == ([datetime(2013, 2, 22, tzinfo=UTC)], True)


def test_a_number_of_eight_digits_is_a_date_and_no_second_of_1970() -> None:
    assert moments(20131004, 20131007) == ([datetime(2013, 10, day, tzinfo=UTC) for day in (4, 7)], True)


@pytest.mark.parametrize("values", [(86_340_000, 0), (0, 1, 2), (44_197.0, 44_198.0)])
def test_milliseconds_of_a_day_row_numbers_and_days_of_a_spreadsheet_are_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(ReplayFileError, match="holds no moments"):
        moments(*values)


def test_seconds_and_milliseconds_in_one_column_are_told_apart_row_by_row() -> None:
    """As some files of CryptoDataDownload have them."""
    assert moments(1361574000, 1361577600000) == ([EVENING, EVENING + timedelta(hours=1)], False)


def test_a_month_that_may_be_a_day_is_refused() -> None:
    with pytest.raises(ReplayFileError, match=r"which number is the month.*2/3/2013"):
        moments("2/3/2013", "2/4/2013")


def test_a_time_of_another_form_than_the_first_is_refused_by_name() -> None:
    with pytest.raises(ReplayFileError, match="soon"):
        moments("2013/02/22", "soon")
    with pytest.raises(ReplayFileError, match=r"holds no times.*Jan 02"):
        moments("Jan 02, 2013")


@pytest.mark.parametrize("values", [(1361574000, None), (1361574000.0, float("nan")), ("2013-02-22", None)])
def test_a_row_without_a_time_is_refused(values: tuple[object, ...]) -> None:
    with pytest.raises(ReplayFileError, match="a time is missing"):
        moments(*values)


def test_a_number_that_would_be_another_century_is_refused() -> None:
    with pytest.raises(ReplayFileError, match=r"no year.*50000000000"):
        moments(50_000_000_000, 1361574000000)


def test_summer_time_moves_hours_but_no_days() -> None:
    """America moved its clocks on 2024-03-10: a day keeps its name, an hour has its own offset."""
    new_york = ZoneInfo("America/New_York")
    days = [datetime(2024, 3, day, tzinfo=new_york) for day in (8, 11)]
    named = [datetime(2024, 3, day, tzinfo=UTC) for day in (8, 11)]
    texts = ("2024-03-08 00:00:00-05:00", "2024-03-11 00:00:00-04:00")
    assert moments(*texts) == (named, True)
    assert utc_times(FILE, pl.Series(days))[0].to_list() == named, "with a zone, as a table of columns has it"
    opening = ("2024-03-08 09:30:00-05:00", "2024-03-11 09:30:00-04:00")
    assert [moment.hour for moment in moments(*opening)[0]] == [14, 13]
