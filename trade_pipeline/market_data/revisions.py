"""Revisions of rows as frame operations: which rows of a frame are news, and which revision is the newest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from trade_pipeline.market_data.views import as_text, packed
from trade_pipeline.schemas import frames
from trade_pipeline.symbol_blocks import starts_of, strictly_ordered

BAR_FACTS = ("open", "high", "low", "close", "volume", "quote_volume", "trades")
"""What a bar says happened: a change of these is told to people."""


def newest(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The row of highest revision of each (date, key), sorted by key."""
    whole_key = [*key, "date"]
    if strictly_ordered(rows, whole_key):
        return rows
    ordered = rows.sort([*whole_key, "revision"])
    return ordered.unique(subset=whole_key, keep="last", maintain_order=True)


def revised_values(history: pl.DataFrame, key: Sequence[str], values: Sequence[str]) -> pl.DataFrame:
    """Every value of `history` (all revisions of a table) that a later revision changed, newest first.

    Columns: key, column, was, is, was_known_at, known_at, revision. A decision taken between the two times stood on
    `was`.
    """
    ordered = history.sort([*key, "date", "revision"]).with_columns(
        pl.col("known_at").shift(1).over([*key, "date"]).alias("was_known_at"),
        *(pl.col(name).shift(1).over([*key, "date"]).alias(f"__was_{name}") for name in values),
    )
    later = ordered.filter(pl.col("revision") > 0)
    parts = [
        later.filter(pl.col(name).ne_missing(pl.col(f"__was_{name}"))).select(
            *key,
            pl.lit(name).alias("column"),
            pl.col(f"__was_{name}").cast(pl.Float64).alias("was"),
            pl.col(name).cast(pl.Float64).alias("is"),
            "was_known_at",
            "known_at",
            "revision",
        )
        for name in values
    ]
    return pl.concat(parts).sort("known_at", *key, "column", descending=[True, *[False] * (len(key) + 1)])


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows of a frame against what is stored. `row`: where each stands there, null if it does not. `same`: with equal
    values. `ordered`: the frame is sorted by key and holds none twice."""

    row: pl.Series
    same: pl.Series
    ordered: bool

    def covers(self, stored: pl.DataFrame) -> bool:
        """Whether the frame holds every stored key, and stands in order."""
        return self.ordered and len(self.row) - self.row.null_count() == stored.height


def compared(rows: pl.DataFrame, stored: pl.DataFrame, key: Sequence[str]) -> Comparison:
    """Each of `rows` against `stored`, a view's rows of the same day.

    Nulls equal nulls and NaN equals NaN, so that a rerun with the same inputs is no change. Compared is column by
    column: a join of all of them would hold every value twice, and nearly all rows are the same.
    """
    ordered = strictly_ordered(rows, key)
    row = _continued(rows, stored, key) if ordered else None
    if row is None:
        row = _found(rows, stored, key)
    same = row.is_not_null()
    for name in (name for name in rows.columns if name not in key):
        same &= rows.get_column(name).eq_missing(as_text(stored.get_column(name).gather(row)))
    return Comparison(row, same, ordered)


def changes(rows: pl.DataFrame, stored: pl.DataFrame, found: Comparison, known_at: datetime) -> pl.DataFrame:
    """Rows that `stored` lacks or has with other values, with known_at and the revision that each of them becomes."""
    revision = stored.get_column("revision").gather(found.row)
    return (
        rows.with_columns(revision)
        .filter(~found.same)
        .with_columns(
            frames.moment(known_at).alias("known_at"),
            (pl.col("revision").fill_null(-1) + 1).cast(pl.Int32).alias("revision"),
        )
        .select(*rows.columns, "known_at", "revision")
    )


def replaced(rows: pl.DataFrame, stored: pl.DataFrame, found: Comparison) -> pl.DataFrame:
    """What `stored` becomes where `rows` hold each of its keys: they themselves, with the revision."""
    before = stored.get_column("revision").gather(found.row)
    revision = before.fill_null(-1) + (~found.same).cast(pl.Int32)
    return packed(rows.with_columns(revision.alias("revision")))


def _continued(rows: pl.DataFrame, stored: pl.DataFrame, key: Sequence[str]) -> pl.Series | None:
    """Places in `stored` where a symbol's rows there are its first ones in `rows`; None where that is not so.

    That is what an evaluation of a day looks like a minute later, and needs no join.
    """
    if "symbol" not in key or rows.is_empty():
        return None
    there = {symbol: (begin, count) for symbol, begin, count in _spans(as_text(stored.get_column("symbol")))}
    parts: list[pl.Series] = []
    for symbol, _, count in _spans(rows.get_column("symbol")):
        begin, known = there.get(symbol, (0, 0))
        if known > count:
            return None
        parts += [pl.int_range(begin, begin + known, eager=True), pl.Series([None] * (count - known), dtype=pl.Int64)]
    row = pl.concat(parts)
    for name in key:
        equal = rows.get_column(name) == as_text(stored.get_column(name).gather(row))
        if not (equal | row.is_null()).all():
            return None
    return row


def _spans(symbol: pl.Series) -> Iterator[tuple[str, int, int]]:
    """Each symbol of a sorted column with the place where its rows begin, and how many they are."""
    begins = starts_of(symbol).arg_true()
    counts = begins.shift(-1, fill_value=len(symbol)) - begins
    yield from zip(symbol.gather(begins).to_list(), begins.to_list(), counts.to_list(), strict=True)


def _found(rows: pl.DataFrame, stored: pl.DataFrame, key: Sequence[str]) -> pl.Series:
    """Places in `stored` by a join, which sees only as much of it as can be meant."""
    times = [name for name in key if rows.schema[name] == frames.UTC_MS]
    keys = pl.DataFrame([stored.get_column(name) for name in key]).with_row_index("_row")
    for time in times:
        keys = keys.filter(pl.col(time).is_between(rows.get_column(time).min(), rows.get_column(time).max()))
    keys = pl.DataFrame([as_text(column) for column in keys.iter_columns()])
    return rows.select(key).join(keys, on=list(key), how="left", maintain_order="left").get_column("_row")
