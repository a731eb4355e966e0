"""Revisions of rows as frame operations: which rows of a frame are news, and which revision is the newest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from trade_pipeline.schemas import frames
from trade_pipeline.symbol_blocks import strictly_ordered


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


def changes(dated: pl.DataFrame, stored: pl.DataFrame, key: Sequence[str], known_at: datetime) -> pl.DataFrame:
    """Rows of `dated` that `stored` (newest revisions) lacks or has with other values, with lake columns.

    Nulls equal nulls and NaN equals NaN, so that a rerun with the same inputs is no change. Compared is column by
    column: a join of all of them would hold every value twice, and nearly all rows are the same.
    """
    on = [*key, "date"]
    rows = stored.select(on).with_row_index("_row")
    row = dated.select(on).join(rows, on=on, how="left", maintain_order="left").get_column("_row")
    same = row.is_not_null()
    for name in (name for name in dated.columns if name not in on):
        same &= dated.get_column(name).eq_missing(stored.get_column(name).gather(row))
    revision = stored.get_column("revision").gather(row)
    return (
        dated.with_columns(revision)
        .filter(~same)
        .with_columns(
            pl.lit(known_at).cast(frames.UTC_MS).alias("known_at"),
            (pl.col("revision").fill_null(-1) + 1).cast(pl.Int32).alias("revision"),
        )
        .select(*(name for name in dated.columns if name != "date"), "known_at", "revision", "date")
    )
