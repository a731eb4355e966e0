"""What a frame must be before the lake takes it, and how it is cut at its days."""

from __future__ import annotations

import polars as pl

from trade_pipeline.errors import DataError
from trade_pipeline.market_data.tables import Table

DAYS_TOGETHER_MAX = 64
"""Days of a long frame that are compared in one step."""


def conformed(frame: pl.DataFrame, spec: Table) -> pl.DataFrame:
    """Exactly the table's columns and types. Raises DataError that names what is missing."""
    missing = [name for name in spec.columns if name not in frame.columns]
    if missing:
        raise DataError("columns are missing", thing=f"frame for lake table {spec.name}", value=missing)
    return frame.select(pl.col(name).cast(dtype) for name, dtype in spec.columns.items())


def by_day(
    rows: pl.DataFrame, spec: Table, day: str | None, *, apart_max: int
) -> list[tuple[tuple[str, ...], pl.DataFrame]]:
    """Rows in the order given, by their day; of more than `apart_max` days by some at once, because what a day
    costs would be most of it. Raises DataError where a day is missing, or given and not wanted."""
    if spec.anchored != (day is not None):
        raise DataError("a day is given for anchored tables only", thing=f"lake table {spec.name}", value=day)
    if day is not None:
        return [((day,), rows)] if rows.height else []
    dates = rows.get_column(spec.time).dt.date()
    known = dates.unique().sort()
    together = 1 if known.len() <= apart_max else DAYS_TOGETHER_MAX
    cut = [known.slice(begin, together) for begin in range(0, known.len(), together)]
    return [(tuple(map(str, days)), those(rows, dates.is_between(days[0], days[-1]))) for days in cut]


def those(rows: pl.DataFrame, where: pl.Expr | pl.Series | None) -> pl.DataFrame:
    """The rows for which it is true; the frame itself where that is all of them."""
    if where is None:
        return rows
    wanted = where if isinstance(where, pl.Series) else rows.select(where).to_series()
    return rows if wanted.all() else rows.filter(wanted)
