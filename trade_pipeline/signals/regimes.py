"""The regime of a symbol at a bar: one word that says which kind of strategy has business there."""

from __future__ import annotations

from functools import reduce

import polars as pl

from trade_pipeline.schemas.frames import REGIMES
from trade_pipeline.settings.trading import RegimeSettings

INPUTS = (
    "ema_fast",
    "ema_slow",
    "adx",
    "atr_ratio",
    "realised_volatility",
    "volume_zscore",
    "donchian_high",
    "idle_ratio",
)
VOLATILE_BARS_MIN = 60
"""Bars of realised volatility without which its mean says nothing; part of the warm-up."""


def is_illiquid(limits: RegimeSettings) -> pl.Expr:
    """Too many bars without a trade, or a price that hardly moves."""
    return (pl.col("idle_ratio") > limits.idle_ratio_max) | (pl.col("atr_ratio") < limits.atr_ratio_min)


def is_volatile(limits: RegimeSettings) -> pl.Expr:
    """Realised volatility far above its own mean: sizes and stops of a moment ago are too small."""
    return pl.col("realised_volatility") > limits.volatile_multiple * pl.col("_volatility_mean")


def is_breakout(limits: RegimeSettings) -> pl.Expr:
    """A close above the channel of the bars before, on unusual volume."""
    unusual = pl.col("volume_zscore") >= limits.breakout_volume_zscore_min
    return (pl.col("close") > pl.col("donchian_high")) & unusual


def is_trending(limits: RegimeSettings) -> pl.Expr:
    """A decided move in either direction."""
    return pl.col("adx") >= limits.adx_trend_min


def compute_regimes(features: pl.DataFrame, limits: RegimeSettings) -> pl.DataFrame:
    """A REGIMES frame with one row per row of `features` (a FEATURES frame sorted by symbol, open_time).

    The first that holds, in this order: illiquid, volatile, breakout, trend_up, trend_down, range. Null while one of
    its features is in warm-up.
    """
    mean = pl.col("realised_volatility").rolling_mean(limits.volatile_bars, min_samples=VOLATILE_BARS_MIN)
    frame = features.with_columns(mean.over("symbol").alias("_volatility_mean"))
    known = reduce(lambda a, b: a & b, (pl.col(name).is_not_null() for name in (*INPUTS, "_volatility_mean")))
    leads = pl.col("ema_fast") > pl.col("ema_slow")
    regime = (
        pl.when(~known)
        .then(pl.lit(None, dtype=pl.String))
        .when(is_illiquid(limits))
        .then(pl.lit("illiquid"))
        .when(is_volatile(limits))
        .then(pl.lit("volatile"))
        .when(is_breakout(limits))
        .then(pl.lit("breakout"))
        .when(is_trending(limits) & leads)
        .then(pl.lit("trend_up"))
        .when(is_trending(limits))
        .then(pl.lit("trend_down"))
        .otherwise(pl.lit("range"))
    )
    return frame.with_columns(regime.alias("regime")).select(
        pl.col(name).cast(dtype) for name, dtype in REGIMES.items()
    )
