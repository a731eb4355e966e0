"""Column primitives that every stage may use: averages and ratios as `pl.Expr`, none knows a stage or a setting.

Each is causal (row t reads rows up to t) and, where it looks back, meant to be evaluated `per_symbol` on a frame sorted
by symbol and time. Sums run forward from the first row, so two frames that start at the same row give the same
bits for every row that both hold, however many rows or symbols follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import polars as pl

Layer: TypeAlias = Mapping[str, pl.Expr]
"""Column name -> expression: columns that can be evaluated in one step."""
Among: TypeAlias = Callable[[pl.Expr], pl.Expr]
"""Among which rows that which looks back is evaluated: `per_symbol` or `whole_frame`."""


def per_symbol(values: pl.Expr) -> pl.Expr:
    """`values` among the rows of its symbol alone: for all that looks back. Within a row it is quicker without."""
    return values.over("symbol")


def whole_frame(values: pl.Expr) -> pl.Expr:
    """`per_symbol` for a frame of one symbol, where there is nothing to group: the same bits, sooner."""
    return values


def simple_average(values: pl.Expr, bars: int) -> pl.Expr:
    """Mean of the last `bars` values; null before that many."""
    return values.rolling_mean(bars)


def seeded_average(values: pl.Expr, bars: int, alpha: float, leading_nulls: int = 0) -> pl.Expr:
    """y[t] = y[t-1] + alpha (x[t] - y[t-1]), started with the mean of the first `bars` values; null before.

    The recursion of polars has no such start: rows before the seed are made null, the seed row becomes the mean.
    `leading_nulls`: rows at which `values` cannot have a value yet; they do not count. To be told is quicker than to
    count. The mean is a rolling one, so that its bits are those of `simple_average` at that row.
    """
    row, seed_row = pl.int_range(pl.len()), leading_nulls + bars - 1
    seed = values.slice(leading_nulls, bars).rolling_mean(bars).last()
    seeded = pl.when(row == seed_row).then(seed).when(row > seed_row).then(values)
    return seeded.ewm_mean(alpha=alpha, adjust=False, ignore_nulls=True)


def exponential_average(values: pl.Expr, bars: int, leading_nulls: int = 0) -> pl.Expr:
    """EMA with alpha = 2 / (bars + 1), seeded with the simple mean."""
    return seeded_average(values, bars, 2.0 / (bars + 1.0), leading_nulls)


def wilder_average(values: pl.Expr, bars: int, leading_nulls: int = 0) -> pl.Expr:
    """Wilder's smoothing, alpha = 1 / bars, seeded with the simple mean (New Concepts in Technical Trading, 1978)."""
    return seeded_average(values, bars, 1.0 / bars, leading_nulls)


def relative_average(values: pl.Expr, bars: int) -> pl.Expr:
    """SMA(3n) - SMA(2n) + SMA(n): the "relative moving average" that some platforms call RMA; not Wilder's."""
    return values.rolling_mean(3 * bars) - values.rolling_mean(2 * bars) + values.rolling_mean(bars)


def ratio(numerator: pl.Expr, denominator: pl.Expr, otherwise: float, smallest: pl.Expr | float = 0.0) -> pl.Expr:
    """numerator / denominator; `otherwise` where the denominator is not above `smallest`; null where one is null."""
    known = numerator.is_not_null() & denominator.is_not_null()
    return pl.when(known & (denominator > smallest)).then(numerator / denominator).when(known).then(pl.lit(otherwise))


def finite(values: pl.Expr) -> pl.Expr:
    """Values with NaN and infinities turned into null: a stage further on must not mistake them for numbers."""
    return pl.when(values.is_finite()).then(values)
