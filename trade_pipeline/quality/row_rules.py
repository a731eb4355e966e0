"""Defects that one bar shows by itself: its prices and how they enclose each other."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from trade_pipeline.quality.failures import failures

PRICES = ("open", "high", "low", "close")


def positive_price(bars: pl.DataFrame, *, as_of: datetime) -> pl.DataFrame:
    """Prices that are null, NaN, infinite, 0 or negative: one row per bar, naming the first such column."""
    del as_of  # no time enters: a bad price is bad at any moment
    is_bad = {name: ~(pl.col(name).is_finite() & (pl.col(name) > 0)).fill_null(False) for name in PRICES}
    named = pl.coalesce(pl.when(bad).then(pl.lit(name)) for name, bad in is_bad.items())
    worst = pl.coalesce(
        pl.when(bad).then(pl.col(name).cast(pl.String).fill_null("null")) for name, bad in is_bad.items()
    )
    rows = bars.with_columns(named.alias("_column"), worst.alias("_value")).filter(pl.col("_column").is_not_null())
    return failures(
        rows,
        "positive_price",
        column=pl.col("_column"),
        value=pl.col("_value"),
        limit=pl.lit("> 0"),
        message=pl.format("{} has {} {}: a price must be above 0", "symbol", "_column", "_value"),
    )


def high_low_enclose(bars: pl.DataFrame, *, as_of: datetime) -> pl.DataFrame:
    """Bars whose high is below, or whose low is above, one of their other prices."""
    del as_of  # as above
    top = pl.max_horizontal("open", "close", "low")
    bottom = pl.min_horizontal("open", "close", "high")
    rows = bars.with_columns(top.alias("_top"), bottom.alias("_bottom")).filter(
        (pl.col("high") < pl.col("_top")) | (pl.col("low") > pl.col("_bottom"))
    )
    high_fails = pl.col("high") < pl.col("_top")
    return failures(
        rows,
        "high_low_enclose",
        column=pl.when(high_fails).then(pl.lit("high")).otherwise(pl.lit("low")),
        value=pl.when(high_fails).then(pl.col("high")).otherwise(pl.col("low")),
        limit=pl.when(high_fails).then(pl.format(">= {}", "_top")).otherwise(pl.format("<= {}", "_bottom")),
        message=pl.format(
            "{}: open {}, high {}, low {}, close {} do not enclose each other", "symbol", "open", "high", "low", "close"
        ),
    )
