"""Momentum features: how one-sided the recent moves were."""

from __future__ import annotations

import polars as pl

from trade_pipeline.expressions import Among, Layer, ratio, wilder_average
from trade_pipeline.settings.trading import FeatureSettings


def gain() -> pl.Expr:
    """Rise of the close in quote units, 0 where it fell; null at the first row. Reads `_close_before`."""
    return (pl.col("close") - pl.col("_close_before")).clip(lower_bound=0.0)


def loss() -> pl.Expr:
    """Fall of the close in quote units, 0 where it rose; null at the first row. Reads `_close_before`."""
    return (-(pl.col("close") - pl.col("_close_before"))).clip(lower_bound=0.0)


def relative_strength(gain_average: pl.Expr, loss_average: pl.Expr) -> pl.Expr:
    """RSI, 0..100, as 100 gain / (gain + loss): equal to 100 - 100 / (1 + RS), but defined where nothing was lost.

    50 where nothing moves. With Wilder's averages it is Wilder's RSI, with plain means Cutler's.
    """
    return 100.0 * ratio(gain_average, gain_average + loss_average, 0.5)


def rsi() -> pl.Expr:
    """Wilder's RSI. Reads the averages `_gain_average` and `_loss_average`."""
    return relative_strength(pl.col("_gain_average"), pl.col("_loss_average"))


def layers(settings: FeatureSettings, among: Among) -> tuple[Layer, ...]:
    """The family's columns in the order in which they need each other."""
    return (
        {"_gain": gain(), "_loss": loss()},
        {
            f"{name}_average": among(wilder_average(pl.col(name), settings.rsi_bars, leading_nulls=1))
            for name in ("_gain", "_loss")
        },
        {"rsi": rsi()},
    )
