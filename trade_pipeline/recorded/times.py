"""Times of recorded files as UTC milliseconds, and the length of a bar from the distances between them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl

from trade_pipeline.recorded.values import refuse
from trade_pipeline.schemas.frames import UTC_MS

LENGTHS_S = (
    60, 180, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 28_800, 43_200, 86_400, 259_200, 604_800,
)  # fmt: skip
ON_GRID_SHARE_MIN = 0.98
"""Share of distances that must be whole lengths; a few misplaced bars do not hide the length."""
OWN_LENGTH_SHARE_MIN = 0.005
"""Share of distances that must be one length, not several: a length that no two bars keep is none."""
_SECONDS_BELOW, _MILLISECONDS_BELOW, _MICROSECONDS_BELOW = 10**11, 10**14, 10**17


def utc_times(path: Path, column: pl.Series) -> tuple[pl.Series, bool]:
    """`column` as UTC milliseconds, and whether it names trading days of a place instead of moments.

    Numbers are seconds, milliseconds, microseconds or nanoseconds by their size; text without a zone is UTC.
    Midnights of a place away from UTC, and plain dates, are days: the day keeps its name, so that Hong Kong's Monday
    does not become a Sunday.
    """
    if column.dtype == pl.String:
        return _from_text(path, column)
    if column.dtype == pl.Date:
        return column.cast(UTC_MS), True
    if isinstance(column.dtype, pl.Datetime):
        if column.dtype.time_zone is None:
            column = column.dt.replace_time_zone("UTC")
        return column.dt.convert_time_zone("UTC").cast(UTC_MS), False
    if column.dtype.is_numeric():
        return _from_numbers(path, column), False
    return refuse(path, "the column of times holds none", str(column.dtype))


def _from_numbers(path: Path, column: pl.Series) -> pl.Series:
    largest = column.max()
    if column.null_count() or not isinstance(largest, int | float):
        refuse(path, "a time is missing", column.null_count())
    value = pl.col(column.name)
    if largest < _SECONDS_BELOW:
        milliseconds = (value * 1000).round(0) if column.dtype.is_float() else value.cast(pl.Int64) * 1000
    elif largest < _MILLISECONDS_BELOW:
        milliseconds = value
    else:
        milliseconds = value // (1000 if largest < _MICROSECONDS_BELOW else 1_000_000)
    return column.to_frame().select(milliseconds.cast(pl.Int64).cast(UTC_MS)).to_series()


def _from_text(path: Path, column: pl.Series) -> tuple[pl.Series, bool]:
    text = column.str.replace(r"^(\d{4}-\d{2}-\d{2}) ", "${1}T")
    offset = text.str.extract(r"T.*([+-]\d{2}:?\d{2})$")
    sample = str(column.drop_nulls().first())
    try:
        if text.str.len_chars().max() == len("2020-01-01"):
            return text.str.to_date(strict=True).cast(UTC_MS), True
        if not offset.null_count() and text.str.contains("T00:00:00", literal=True).all():
            # Midnights of a place: the day is its name there.
            return text.str.slice(0, 10).str.to_date(strict=True).cast(UTC_MS), True
        return text.str.to_datetime(time_unit="ms", time_zone="UTC", strict=True), False
    except pl.exceptions.PolarsError:
        return refuse(path, "the column of times holds no times", sample)


def bar_length_s(path: Path, times: pl.Series, said_s: int | None, closing: pl.Series | None) -> int:
    """Seconds of a bar: what the distances between times say, held against what the file's name says.

    The largest usual length that divides nearly all distances, if some bars are that far apart; minutes in which
    nothing was traded leave it as it is. Raises ReplayFileError where the name says something else.
    """
    ordered = _rising(times.drop_nulls())
    often = _distances_s(ordered)
    if not often:
        length = said_s or _length_of_one(ordered, closing)
        return length or refuse(path, "one bar does not tell its length", None, "Put the length into the file's name.")
    fitting = _fitting(often)
    if said_s is not None and said_s in fitting:
        return said_s
    found = max(fitting, default=_most_common(often))
    if said_s is not None and said_s != found:
        refuse(path, f"the name says bars of {said_s} s, most of them are {found} s apart", None, "Correct the name.")
    return found


def _rising(times: pl.Series) -> pl.Series:
    """Each time once, in order; nearly all files have them so, and to see it is cheaper than to sort."""
    return times if (times.head(times.len() - 1) < times.slice(1)).all() else times.unique().sort()


def _distances_s(ordered: pl.Series) -> Counter[int]:
    """How often each distance occurs, in whole seconds."""
    often: Counter[int] = Counter()
    for distance_ms, count in ordered.to_physical().diff().drop_nulls().value_counts().iter_rows():
        often[distance_ms // 1000] += count
    return often


def _fitting(often: Counter[int]) -> list[int]:
    """LENGTHS_S that some distances are, and of which nearly all are whole multiples."""
    own_min, whole_min = OWN_LENGTH_SHARE_MIN * often.total(), ON_GRID_SHARE_MIN * often.total()
    return [
        length
        for length in LENGTHS_S
        if often[length] >= own_min
        and sum(count for distance, count in often.items() if distance % length == 0) >= whole_min
    ]


def _most_common(often: Counter[int]) -> int:
    """The shortest of those that occur most."""
    return min(often, key=lambda distance: (-often[distance], distance))


def _length_of_one(times: pl.Series, closing: pl.Series | None) -> int | None:
    if closing is None or not times.len() or not closing.len():
        return None
    length_ms = closing.dt.timestamp("ms")[0] - times.dt.timestamp("ms")[0]
    return int(length_ms // 1000) or None
