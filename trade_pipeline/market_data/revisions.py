"""Revisions of rows as frame operations: which rows of a frame are news, and which revision is the newest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from trade_pipeline.schemas import frames


def newest(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The row of highest revision of each (date, key), sorted by key."""
    ordered = rows.sort([*key, "date", "revision"])
    return ordered.unique(subset=[*key, "date"], keep="last", maintain_order=True)


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

    Nulls equal nulls and NaN equals NaN, so that a rerun with the same inputs is no change.
    """
    on = [*key, "date"]
    values = [name for name in dated.columns if name not in on]
    old = stored.select(*on, "revision", *(pl.col(name).alias(f"__old_{name}") for name in values))
    joined = dated.join(old, on=on, how="left", maintain_order="left")
    same = pl.all_horizontal(
        pl.col("revision").is_not_null(), *(pl.col(name).eq_missing(pl.col(f"__old_{name}")) for name in values)
    )
    return (
        joined.filter(~same)
        .with_columns(
            pl.lit(known_at).cast(frames.UTC_MS).alias("known_at"),
            (pl.col("revision").fill_null(-1) + 1).cast(pl.Int32).alias("revision"),
        )
        .select(*(name for name in dated.columns if name != "date"), "known_at", "revision", "date")
    )
