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
