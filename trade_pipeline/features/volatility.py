"""Volatility features: how far the price moves in a bar."""

from __future__ import annotations

import polars as pl

from trade_pipeline.expressions import Among, Layer, ratio, simple_average, wilder_average
from trade_pipeline.settings.trading import FeatureSettings

BAND_WIDTH_RATIO_MIN = 1e-7
"""Bands narrower than this share of the price are rounding noise of the running sums: they have no inside."""


def true_range() -> pl.Expr:
    """Largest of high - low and the moves from `_close_before`, in quote units; high - low at the first bar."""
    previous = pl.col("_close_before")
    return pl.max_horizontal("high", previous) - pl.min_horizontal("low", previous)


def atr(bars: int) -> pl.Expr:
    """Wilder's average true range in quote units, seeded with the mean of the first `bars`. Reads `_true_range`."""
    return wilder_average(pl.col("_true_range"), bars)


def atr_ratio() -> pl.Expr:
    """ATR as a share of the close. Reads `atr`."""
    return ratio(pl.col("atr"), pl.col("close"), 0.0)


def band_spread(bars: int) -> pl.Expr:
    """Population standard deviation of the last `bars` closes, quote units."""
    return pl.col("close").rolling_std(bars, ddof=0)


def bollinger_upper(width: float) -> pl.Expr:
    """Mean close + width x standard deviation (Bollinger). Reads `_band_middle` and `_band_spread`."""
    return pl.col("_band_middle") + width * pl.col("_band_spread")


def bollinger_lower(width: float) -> pl.Expr:
    """Mean close - width x standard deviation. Reads `_band_middle` and `_band_spread`."""
    return pl.col("_band_middle") - width * pl.col("_band_spread")


def bollinger_position() -> pl.Expr:
    """Close between the bands: 0 at the lower, 1 at the upper, beyond outside; 0.5 where the bands touch."""
    lower, close = pl.col("bollinger_lower"), pl.col("close")
    return ratio(close - lower, pl.col("bollinger_upper") - lower, 0.5, BAND_WIDTH_RATIO_MIN * close)


def realised_volatility(bars: int) -> pl.Expr:
    """Sample standard deviation of the last `bars` log returns, per bar (not annualised)."""
    return pl.col("close").log().diff().rolling_std(bars, ddof=1)


def layers(settings: FeatureSettings, among: Among) -> tuple[Layer, ...]:
    """The family's columns in the order in which they need each other."""
    bars, width = settings.bollinger_bars, settings.bollinger_width
    return (
        {
            "_true_range": true_range(),
            "_band_middle": among(simple_average(pl.col("close"), bars)),
            "_band_spread": among(band_spread(bars)),
            "realised_volatility": among(realised_volatility(settings.volatility_bars)),
        },
        {
            "atr": among(atr(settings.atr_bars)),
            "bollinger_upper": bollinger_upper(width),
            "bollinger_lower": bollinger_lower(width),
        },
        {"atr_ratio": atr_ratio(), "bollinger_position": bollinger_position()},
    )
