"""Trend features: where the price goes, and how decidedly."""

from __future__ import annotations

import polars as pl

from trade_pipeline.expressions import Among, Layer, exponential_average, ratio, wilder_average
from trade_pipeline.features.volatility import true_range
from trade_pipeline.settings.trading import FeatureSettings


def ema(bars: int) -> pl.Expr:
    """Exponential moving average of the close in quote units, seeded with the mean of the first `bars` closes."""
    return exponential_average(pl.col("close"), bars)


def macd() -> pl.Expr:
    """EMA(fast) - EMA(slow) in quote units (Appel). Reads `_macd_fast` and `_macd_slow`."""
    return pl.col("_macd_fast") - pl.col("_macd_slow")


def macd_signal(bars: int, slow_bars: int) -> pl.Expr:
    """EMA of the MACD line, which begins where the slower of its averages does. Reads `macd`."""
    return exponential_average(pl.col("macd"), bars, leading_nulls=slow_bars - 1)


def macd_histogram() -> pl.Expr:
    """MACD line less its signal line. Reads `macd` and `macd_signal`."""
    return pl.col("macd") - pl.col("macd_signal")


def outward_moves() -> tuple[pl.Expr, pl.Expr]:
    """How far the high rose and the low fell, quote units. Reads `_high_before` and `_low_before`."""
    return pl.col("high") - pl.col("_high_before"), -(pl.col("low") - pl.col("_low_before"))


def plus_movement() -> pl.Expr:
    """Wilder's +DM in quote units: how far the high rose where that is the larger of the two outward moves."""
    up, down = outward_moves()
    return pl.when(up.is_not_null()).then(pl.when((up > down) & (up > 0)).then(up).otherwise(0.0))


def minus_movement() -> pl.Expr:
    """Wilder's -DM in quote units: how far the low fell where that is the larger of the two outward moves."""
    up, down = outward_moves()
    return pl.when(up.is_not_null()).then(pl.when((down > up) & (down > 0)).then(down).otherwise(0.0))


def moved_range() -> pl.Expr:
    """True range from the second bar on, where the movements start as well (Wilder)."""
    return pl.when(pl.col("_close_before").is_not_null()).then(true_range())


def indicator(name: str) -> pl.Expr:
    """Wilder's +DI or -DI as a share: the movement `name` in what was moved. Reads their averages."""
    return ratio(pl.col(f"{name}_average"), pl.col("_moved_average"), 0.0)


def directional() -> pl.Expr:
    """Wilder's DX, 0..100: 0 while nothing moves. Reads `_plus_indicator` and `_minus_indicator`."""
    plus, minus = pl.col("_plus_indicator"), pl.col("_minus_indicator")
    return 100.0 * ratio((plus - minus).abs(), plus + minus, 0.0)


def adx(bars: int) -> pl.Expr:
    """Wilder's average directional index, 0..100; first value at row 2 x bars - 1. Reads `_directional`."""
    return wilder_average(pl.col("_directional"), bars, leading_nulls=bars)


def donchian_high(bars: int) -> pl.Expr:
    """Highest high of the `bars` bars before this one, so that a close can stand above it."""
    return pl.col("high").shift(1).rolling_max(bars)


def donchian_low(bars: int) -> pl.Expr:
    """Lowest low of the `bars` bars before this one."""
    return pl.col("low").shift(1).rolling_min(bars)


def layers(settings: FeatureSettings, among: Among) -> tuple[Layer, ...]:
    """The family's columns in the order in which they need each other."""
    bars, slow_bars = settings.adx_bars, settings.macd_slow_bars
    looking_back = {
        "ema_fast": ema(settings.ema_fast_bars),
        "ema_slow": ema(settings.ema_slow_bars),
        "_macd_fast": ema(settings.macd_fast_bars),
        "_macd_slow": ema(slow_bars),
        "donchian_high": donchian_high(settings.donchian_bars),
        "donchian_low": donchian_low(settings.donchian_bars),
    }
    movements = {"_plus": plus_movement(), "_minus": minus_movement(), "_moved": moved_range()}
    averages = {f"{name}_average": among(wilder_average(pl.col(name), bars, leading_nulls=1)) for name in movements}
    return (
        movements | {name: among(column) for name, column in looking_back.items()},
        averages | {"macd": macd()},
        {f"{name}_indicator": indicator(name) for name in ("_plus", "_minus")},
        {
            "_directional": directional(),
            "macd_signal": among(macd_signal(settings.macd_signal_bars, slow_bars)),
        },
        {"adx": among(adx(bars)), "macd_histogram": macd_histogram()},
    )
