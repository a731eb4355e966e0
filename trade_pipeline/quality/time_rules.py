"""Defects between bars and against the moment of the decision: order, duplicates, gaps, running bars, staleness."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from trade_pipeline.quality.failures import failures, no_failures
from trade_pipeline.schemas.frames import UTC_MS


def monotonic_unique_time(bars: pl.DataFrame, *, as_of: datetime) -> pl.DataFrame:
    """Rows whose open_time is not later than that of the symbol's row before: out of order, or a second version."""
    del as_of  # order is a matter of the rows alone
    previous = pl.col("open_time").shift(1).over("symbol")
    rows = bars.with_columns(previous.alias("_previous")).filter(pl.col("open_time") <= pl.col("_previous"))
    return failures(
        rows,
        "monotonic_unique_time",
        column=pl.lit("open_time"),
        value=pl.col("open_time"),
        limit=pl.format("> {}", "_previous"),
        message=pl.when(pl.col("open_time") == pl.col("_previous"))
        .then(pl.format("{} has two bars that open at {}", "symbol", "open_time"))
        .otherwise(pl.format("{} has the bar of {} after that of {}", "symbol", "open_time", "_previous")),
    )


def running_candle(bars: pl.DataFrame, *, as_of: datetime) -> pl.DataFrame:
    """Bars that have not closed at `as_of`: their close, high, low and volume still change."""
    rows = bars.filter(pl.col("close_time") > pl.lit(as_of).cast(UTC_MS))
    return failures(
        rows,
        "running_candle",
        column=pl.lit("close_time"),
        value=pl.col("close_time"),
        limit=pl.lit(f"<= {as_of:%Y-%m-%d %H:%M:%S}"),
        message=pl.format("{}: the bar of {} is still running", "symbol", "open_time"),
    )


def gap(
    bars: pl.DataFrame,
    *,
    as_of: datetime,
    window_start: datetime,
    bar_length_s: int,
    gap_bars_max: int,
) -> pl.DataFrame:
    """Bars that are missing between two that are there and open in [window_start, as_of).

    What is missing at the end is `staleness`; a history that begins late (a new listing) is no hole, its features are
    in warm-up. A symbol with more than `gap_bars_max` missing bars fails with one row per hole.
    """
    length_ms = bar_length_s * 1000
    start = pl.lit(window_start).cast(UTC_MS)
    inside = bars.filter((pl.col("open_time") >= start) & (pl.col("open_time") < pl.lit(as_of).cast(UTC_MS)))
    expected = (pl.col("open_time").shift(1).over("symbol") + pl.duration(milliseconds=length_ms)).alias("_expected")
    missing = ((pl.col("open_time") - pl.col("_expected")).dt.total_milliseconds() // length_ms).alias("_missing")
    holes = (
        inside.select("symbol", "open_time")
        .unique()
        .sort("symbol", "open_time")
        .with_columns(expected)
        .with_columns(missing)
        .filter(pl.col("_missing") > 0)
        .with_columns(pl.col("_missing").sum().over("symbol").alias("_total"))
        .filter(pl.col("_total") > gap_bars_max)
        .select("symbol", pl.col("_expected").alias("open_time"), pl.col("open_time").alias("_next"), "_missing")
    )
    return failures(
        holes,
        "gap",
        column=pl.lit("open_time"),
        value=pl.format("{} missing", "_missing"),
        limit=pl.lit(f"<= {gap_bars_max}"),
        message=pl.format("{} misses {} bars from {} to {}", "symbol", "_missing", "open_time", "_next"),
    )


def staleness(bars: pl.DataFrame, *, as_of: datetime, symbols: Sequence[str], staleness_s_max: float) -> pl.DataFrame:
    """Expected symbols whose newest bar closed longer than the limit before `as_of`, or that have no bar at all."""
    if not symbols:
        return no_failures()
    newest = (
        bars.filter(pl.col("close_time") <= pl.lit(as_of).cast(UTC_MS))
        .group_by("symbol")
        .agg(pl.col("open_time").max(), pl.col("close_time").max())
    )
    age = (pl.lit(as_of).cast(UTC_MS) - pl.col("close_time")).dt.total_milliseconds() / 1000
    rows = (
        pl.DataFrame({"symbol": sorted(set(symbols))}, schema={"symbol": pl.String})
        .join(newest, on="symbol", how="left")
        .with_columns(age.alias("_age_s"))
        .filter(pl.col("_age_s").is_null() | (pl.col("_age_s") > staleness_s_max))
    )
    limit = timedelta(seconds=staleness_s_max).total_seconds()
    return failures(
        rows,
        "staleness",
        column=pl.lit("close_time"),
        value=pl.col("_age_s").cast(pl.String).fill_null("no bar"),
        limit=pl.lit(f"<= {limit:g} s"),
        message=pl.when(pl.col("_age_s").is_null())
        .then(pl.format("{} has no bar at all", "symbol"))
        .otherwise(pl.format("{}: the newest bar closed {} s before the decision", "symbol", "_age_s")),
    )
