"""Moments of recorded files as UTC milliseconds: numbers by their size, texts by forms that can mean one thing only.

How long a bar lasts is not asked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from trade_pipeline.recorded.values import refuse
from trade_pipeline.schemas.frames import UTC_MS

_SECONDS_BELOW, _MILLISECONDS_BELOW, _MICROSECONDS_BELOW = 10**11, 10**14, 10**17
_COUNTS_BELOW = 10**8
"""Numbers from 0 to here would be seconds of 1970 to 1973: they count rows, milliseconds of a day or days."""
_CALENDAR_DAYS = (19_000_101, 22_001_231)
_FIRST_MS, _END_MS = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000) for year in (1900, 2101))
"""Years that bars are of."""
_LARGEST = 9 * 10**18  # nanoseconds of 2255: what is larger does not fit into 64 bits
_NAME_THE_UNIT = "Give times as Unix seconds, milliseconds or ISO 8601 text in UTC."

_ISO = r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$"
_OFFSET = r"(Z|[+-]\d{2}:?\d{2})$"
_DATES: Mapping[str, str] = {
    r"^\d{4}-\d{1,2}-\d{1,2}": "%Y-%m-%d",
    r"^\d{4}/\d{1,2}/\d{1,2}": "%Y/%m/%d",
    r"^\d{4}\.\d{1,2}\.\d{1,2}": "%Y.%m.%d",
    r"^\d{8}": "%Y%m%d",
    r"^\d{1,2}\.\d{1,2}\.\d{4}": "%d.%m.%Y",
    r"^\d{1,2}/\d{1,2}/\d{4}": "",  # which is the month is asked of the whole column
}
_CLOCKS: Mapping[str, str] = {
    r"^$": "",
    r"^[ T]\d{1,2}:\d{2}$": "%H:%M",
    r"^[ T]\d{1,2}:\d{2}:\d{2}(\.\d+)?$": "%H:%M:%S%.f",
    r"^ \d{1,2}:\d{2} [AP]M$": "%I:%M %p",
    r"^ \d{1,2}:\d{2}:\d{2} [AP]M$": "%I:%M:%S %p",
}
"""What a date and a time of day look like -> how they are read."""


def utc_times(path: Path, column: pl.Series) -> tuple[pl.Series, bool]:
    """`column` as UTC milliseconds, and whether it names trading days of a place instead of moments.

    Numbers are seconds, milliseconds, microseconds or nanoseconds by their size, each row by itself; text without a
    zone is UTC. Midnights of a place away from UTC, and plain dates, are days: the day keeps its name, so that Hong
    Kong's Monday does not become a Sunday. Raises ReplayFileError for what is no time, or could be two.
    """
    if column.null_count():
        refuse(path, "a time is missing", f"{column.null_count()} rows without", "Remove these rows.")
    if column.dtype == pl.String:
        return _from_text(path, column.str.strip_chars())
    if column.dtype == pl.Date:
        return column.cast(UTC_MS), True
    if isinstance(column.dtype, pl.Datetime):
        return _from_moments(column, column.dtype.time_zone)
    if column.dtype.is_numeric():
        return _from_numbers(path, column)
    return refuse(path, "the column of times holds none", str(column.dtype))


def _from_moments(column: pl.Series, zone: str | None) -> tuple[pl.Series, bool]:
    if zone is None:
        return column.dt.replace_time_zone("UTC").cast(UTC_MS), False
    moments = column.dt.convert_time_zone("UTC")
    if zone != "UTC" and column.len():
        named = column.dt.replace_time_zone(None)
        midnights, moved = (
            (named == named.dt.truncate("1d")).all(),
            (moments != named.dt.replace_time_zone("UTC")).any(),
        )
        if midnights and moved:
            return named.dt.replace_time_zone("UTC").cast(UTC_MS), True
    return moments.cast(UTC_MS), False


def _from_numbers(path: Path, column: pl.Series) -> tuple[pl.Series, bool]:
    smallest, largest = column.min(), column.max()
    if column.is_nan().any():
        refuse(path, "a time is missing", "NaN", "Remove these rows.")
    if not isinstance(smallest, int | float) or not isinstance(largest, int | float):
        return column.cast(UTC_MS), False  # no rows
    if max(abs(smallest), abs(largest)) > _LARGEST:
        refuse(path, "a time is of no year that bars are of", largest, _NAME_THE_UNIT)
    if smallest >= _CALENDAR_DAYS[0] and largest <= _CALENDAR_DAYS[1]:
        return _from_text(path, column.cast(pl.Int64).cast(pl.String))
    if smallest >= 0 and largest < _COUNTS_BELOW:
        refuse(path, "the column of times holds no moments", largest, _NAME_THE_UNIT)
    value, size = pl.col(column.name), pl.col(column.name).abs()
    seconds = (value * 1000).round(0) if column.dtype.is_float() else value.cast(pl.Int64) * 1000
    milliseconds = (
        pl.when(size < _SECONDS_BELOW)
        .then(seconds.cast(pl.Int64))
        .when(size < _MILLISECONDS_BELOW)
        .then(value.cast(pl.Int64))
        .when(size < _MICROSECONDS_BELOW)
        .then((value // 1000).cast(pl.Int64))
        .otherwise((value // 1_000_000).cast(pl.Int64))
    )
    times = column.to_frame().select(milliseconds.cast(UTC_MS)).to_series()
    strange = ~times.to_physical().is_between(_FIRST_MS, _END_MS, closed="left")
    if strange.any():
        refuse(path, "a time is of no year that bars are of", column.filter(strange)[0], _NAME_THE_UNIT)
    return times, False


def _from_text(path: Path, column: pl.Series) -> tuple[pl.Series, bool]:
    if column.str.contains(r"^-?\d{9,}(\.\d+)?$").all():
        whole = not column.str.contains(".", literal=True).any()
        return _from_numbers(path, column.cast(pl.Int64 if whole else pl.Float64))
    # "2020-01-01 00:00", and the ends " UTC", " GMT" and " GMT+0200" that some put behind it.
    text = column.str.replace(r"^(\d{4}-\d{2}-\d{2}) (\d{2}:)", "${1}T${2}").str.replace(r" ?(?:UTC|GMT)$", "")
    text = text.str.replace(r" ?(?:UTC|GMT)([+-]\d{2}:?\d{2})$", "${1}")
    text = text.str.replace(r" (\d{2})-([AP]M)$", " ${1}:00 ${2}")  # hours of CryptoDataDownload
    if not text.str.contains(_ISO).all():
        return _from_other_text(path, text)
    try:
        if text.str.len_chars().max() == len("2020-01-01"):
            return text.str.to_date(strict=True).cast(UTC_MS), True
        if text.str.contains("T00:00:00", literal=True).all() and text.str.contains(r"[+-]\d{2}:?\d{2}$").all():
            # Midnights of a place: the day is its name there.
            return text.str.slice(0, 10).str.to_date(strict=True).cast(UTC_MS), True
        return text.str.to_datetime(time_unit="ms", time_zone="UTC", strict=True), False
    except pl.exceptions.PolarsError:
        return refuse(path, "the column of times holds no times", str(column[0]), _NAME_THE_UNIT)


def _from_other_text(path: Path, text: pl.Series) -> tuple[pl.Series, bool]:
    """By the form of the first row, which all others must have."""
    sample = str(text[0])
    offset = _only(text.head(1).str.extract(_OFFSET)) if ":" in sample else ""
    bare = sample.removesuffix(offset)
    for shape, date in _DATES.items():
        begins = _only(text.head(1).str.extract(f"({shape})"))
        if not begins:
            continue
        for clock_shape, clock in _CLOCKS.items():
            if pl.Series([bare.removeprefix(begins)]).str.contains(clock_shape).all():
                form = (date or _month_and_day(path, text)) + (sample[len(begins)] + clock if clock else "")
                return _parsed(path, text, form + ("%#z" if offset else "")), not clock
    return refuse(path, "the column of times holds no times", sample, _NAME_THE_UNIT)


def _only(found: pl.Series) -> str:
    return str(found[0] or "")


def _parsed(path: Path, text: pl.Series, form: str) -> pl.Series:
    if "%H" not in form and "%I" not in form:
        parsed = text.str.to_date(form, strict=False).cast(UTC_MS)
    else:
        parsed = text.str.to_datetime(form, time_unit="ms", time_zone="UTC", strict=False)
    if parsed.null_count():
        refuse(path, f"a time is not of the form {form} as the first one", str(text.filter(parsed.is_null())[0]))
    return parsed


def _month_and_day(path: Path, text: pl.Series) -> str:
    """Americans write the month first, others the day: a number above 12 says which. Raises ReplayFileError."""
    first = text.str.extract(r"^(\d{1,2})/").cast(pl.Int64).max()
    second = text.str.extract(r"^\d{1,2}/(\d{1,2})/").cast(pl.Int64).max()
    assert isinstance(first, int) and isinstance(second, int), "the first row has the form"
    if (first > 12) == (second > 12):
        refuse(path, "the dates do not show which number is the month", str(text[0]), "Write them as 2020-12-31.")
    return "%d/%m/%Y" if first > 12 else "%m/%d/%Y"
