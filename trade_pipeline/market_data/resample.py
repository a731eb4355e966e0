"""Coarser bars from finer ones, as the exchange itself would have drawn them.

Windows are aligned as exchanges align theirs: on UTC midnight, weeks on Monday. A window counts once it is closed;
what is missing inside it is told in `base_bars` and never made up.
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from trade_pipeline.errors import DataError
from trade_pipeline.schemas import frames

WEEK_S = 7 * 86_400
_MONDAY_MS = int(datetime(1970, 1, 5, tzinfo=UTC).timestamp() * 1000)
"""A midnight on which windows of every length that divides a week begin."""


def resample(bars: pl.DataFrame, *, length_s: int, as_of: datetime, base_length_s: int = 60) -> pl.DataFrame:
    """Bars of `length_s` from `bars` of `base_length_s`, sorted by (symbol, open_time), with COARSE_BARS' columns.

    `bars` has the columns of BARS or JUDGED_BARS, one row per (symbol, open_time), in any order. Open is the first
    bar's, close the last one's, high and low the extremes, volume, quote_volume and trades sums; several sources are
    joined by "+".
    `base_bars` counts the bars inside: fewer than length_s / base_length_s where the exchange has no bar for a minute
    without a trade, or where one was lost, which the bars cannot tell apart.

    A sum of which one part is not known is not known: quote_volume or trades are null where a bar's are.
    A window that closes after `as_of` is still running and left out. So is a symbol's first one when its first bar
    is not there: what came before it may be unknown to us, and then neither open nor extremes are the exchange's. A
    flagged bar in that place follows from the one before it: nothing is unknown, and the window counts.
    Raises DataError for lengths that do not fit into each other, or into a week.
    """
    if length_s <= base_length_s or length_s % base_length_s or WEEK_S % length_s:
        raise DataError(
            f"bars of {base_length_s} s do not make up bars of this length",
            thing="length_s",
            value=length_s,
            repair="Name a multiple of the base length that divides a week.",
        )
    length_ms = length_s * 1000
    known_since = bars.group_by("symbol").agg(pl.col("open_time").min().alias("_known_since"))
    if "synthetic" in bars.columns:  # what we put into a hole is no bar of the exchange: the hole is told
        bars = bars.filter(~(pl.col("synthetic") & pl.col("repair").is_not_null()))
    since_monday = (pl.col("open_time").dt.epoch("ms") - _MONDAY_MS) % length_ms
    start = (pl.col("open_time") - pl.duration(milliseconds=since_monday)).cast(frames.UTC_MS)
    windows = (
        bars.sort("symbol", "open_time")
        .with_columns(start.alias("_start"))
        .group_by("symbol", "_start", maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            *(_known_sum(name) for name in ("volume", "quote_volume", "trades")),
            pl.col("source").unique().sort().str.join("+"),
            pl.len().cast(pl.Int32).alias("base_bars"),
        )
        .with_columns(
            pl.col("_start").alias("open_time"),
            (pl.col("_start") + pl.duration(milliseconds=length_ms)).cast(frames.UTC_MS).alias("close_time"),
            pl.lit(length_s, dtype=pl.Int32).alias("length_s"),
        )
    )
    whole = pl.col("_start") >= pl.col("_known_since")
    closed = pl.col("close_time") <= frames.moment(as_of)
    return (
        windows.join(known_since, on="symbol", how="left", maintain_order="left")
        .filter(closed & whole)
        .select(pl.col(name).cast(dtype) for name, dtype in frames.COARSE_BARS.items())
    )


def _known_sum(name: str) -> pl.Expr:
    """What a source does not say is null, and no 0."""
    return pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum()).alias(name)
