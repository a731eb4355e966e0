"""A day of a table as the lake keeps it in memory: newest revisions, in order, texts as codes.

Nearly every text of a day is one of few, and takes sixteen bytes a row as text and one as a code. Columns are worked on
one at a time throughout: a decision holds several tables, and a second copy of one of them is what its peak is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from trade_pipeline.symbol_blocks import strictly_ordered

ROWS_PER_WORD_MIN = 8
"""Columns with more different texts than one in as many rows stay texts."""


@dataclass(frozen=True, slots=True)
class View:
    """`rows`: newest revisions of a day sorted by key, with the column revision, as `packed` leaves them; `files`: what
    they were read from."""

    files: frozenset[str]
    rows: pl.DataFrame


def packed(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows; texts are codes in the order of their words where there are few words."""
    return pl.DataFrame([_coded(column) for column in frame.iter_columns()])


def as_text(column: pl.Series) -> pl.Series:
    """A column as it was before `packed`."""
    return column.cast(pl.String) if isinstance(column.dtype, pl.Enum) else column


def newest_of_day(parts: Sequence[pl.DataFrame], key: Sequence[str]) -> pl.DataFrame:
    """Of rows of one day the highest revision of each key, sorted by key and packed. Parts may be packed."""
    if len(parts) == 1 and strictly_ordered(parts[0], key):
        return packed(parts[0])
    keys = pl.DataFrame([stacked(parts, name) for name in (*key, "revision")])
    chosen = (
        keys.with_row_index("_row")
        .sort([*key, "revision", "_row"])
        .unique(subset=list(key), keep="last", maintain_order=True)
    )
    order = chosen.get_column("_row")
    return pl.DataFrame([_coded(stacked(parts, name).gather(order)) for name in parts[0].columns])


def together(parts: Sequence[pl.DataFrame], key: Sequence[str], names: Sequence[str]) -> pl.DataFrame:
    """The columns `names` of packed parts as one frame sorted by key, texts as texts. Equal keys stay in order."""
    order = _order(pl.DataFrame([stacked(parts, name) for name in key])) if len(parts) > 1 else None
    columns = (stacked(parts, name) for name in names)
    return pl.DataFrame([as_text(column if order is None else column.gather(order)) for column in columns])


def _order(keys: pl.DataFrame) -> pl.Series | None:
    """Rows in the order of all columns; None where they stand in it."""
    if strictly_ordered(keys, keys.columns):
        return None
    return keys.with_row_index("_row").sort(keys.columns, maintain_order=True).get_column("_row")


def stacked(parts: Sequence[pl.DataFrame], name: str) -> pl.Series:
    """One column of several parts below each other, coded if that of any part is."""
    columns = [part.get_column(name) for part in parts]
    if len({column.dtype for column in columns}) > 1:
        words = sorted({word for column in columns for word in _words(column)})
        columns = [as_text(column).cast(pl.Enum(words)) for column in columns]
    return pl.concat(columns)


def _coded(column: pl.Series) -> pl.Series:
    if column.dtype != pl.String():
        return column
    words = _words(column)
    if not words or len(words) * ROWS_PER_WORD_MIN > len(column):
        return column
    return column.cast(pl.Enum(sorted(words)))


def _words(column: pl.Series) -> list[str]:
    if isinstance(column.dtype, pl.Enum):
        return column.dtype.categories.to_list()
    return column.drop_nulls().unique().to_list()
