"""Volume features: how much is traded against what is usual."""

from __future__ import annotations

import polars as pl

from trade_pipeline.expressions import Among, Layer, ratio
from trade_pipeline.settings.trading import FeatureSettings

SPREAD_RATIO_MIN = 1e-7
"""A standard deviation below this share of the mean is rounding noise of the running sums."""


def volume_zscore() -> pl.Expr:
    """(volume - mean) / sample standard deviation over the last bars, this one included; 0 if constant.

    Reads `_volume_mean` and `_volume_spread`.
    """
    mean = pl.col("_volume_mean")
    return ratio(pl.col("volume") - mean, pl.col("_volume_spread"), 0.0, SPREAD_RATIO_MIN * mean)


def idle_ratio(bars: int) -> pl.Expr:
    """Share of the last `bars` bars in which nothing was traded, 0..1."""
    return (pl.col("volume") <= 0).cast(pl.Float64).rolling_mean(bars)


def layers(settings: FeatureSettings, among: Among) -> tuple[Layer, ...]:
    """The family's columns in the order in which they need each other."""
    bars = settings.volume_bars
    return (
        {
            "_volume_mean": among(pl.col("volume").rolling_mean(bars)),
            "_volume_spread": among(pl.col("volume").rolling_std(bars, ddof=1)),
            "idle_ratio": among(idle_ratio(bars)),
        },
        {"volume_zscore": volume_zscore()},
    )
