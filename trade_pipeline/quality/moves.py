"""Moves that the market did not make: a close or a wick far outside the robust scale around it.

A fall of half in one bar may be real. What tells: the next bars stay there, or the bar carries a volume far above
the usual one, opens where the one before closed, and the next opens where it closed. What comes back without such
support was a false price. Log returns make it symmetrical: a doubling is judged as a halving is.

Scale: 1.4826 times the median absolute log return of the block around the bar (Hampel 1974: MAD of a normal
distribution), at least its upper quartile over 1.1503, because the median of a market with coarse ticks is 0. Neither
moves when a few prices are false, as a mean would.
"""

from __future__ import annotations

import math
from enum import IntEnum

import polars as pl

from trade_pipeline.quality.rules import Scope

MAD_TO_SIGMA = 1.4826
UPPER_QUARTILE_TO_SIGMA = 1 / 1.1503
RETURNS_MIN = 20
"""Moves from which a scale can be told; among fewer nothing is called an outlier."""


class Outlier(IntEnum):
    """What a move looks like; 0 is none."""

    NONE = 0
    SUPPORTED = 1  # far outside, but volume and open agree with it
    FALSE = 2  # came back within a few bars, without support
    UNCONFIRMED = 3  # the newest bars, without support: what comes next will tell
    WICK = 4  # high or low alone, without support
    FALSE_WICK = 5  # the same, so far that ranges of later bars would be measured against it


def robust_scale(returns: pl.Expr) -> pl.Expr:
    """The robust scale of log returns; null of fewer than RETURNS_MIN."""
    absolute = returns.abs()
    scale = pl.max_horizontal(
        absolute.median() * MAD_TO_SIGMA, absolute.quantile(0.75, "linear") * UPPER_QUARTILE_TO_SIGMA
    )
    return pl.when(absolute.count() >= RETURNS_MIN).then(scale)


def with_outliers(rows: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """`rows` (see `prepare_series`) with _outlier (Outlier) and _move, the log distance that made it one."""
    none = pl.zeros(rows.height, dtype=pl.Int8, eager=True).alias("_outlier")
    nothing = pl.repeat(None, rows.height, dtype=pl.Float64, eager=True).alias("_move")
    candidates = _beyond_scale(rows, scope)
    if not candidates.is_empty():
        judged = _judged(rows, candidates, scope)
        at = judged.get_column("_at")
        none, nothing = (column.scatter(at, judged.get_column(column.name)) for column in (none, nothing))
    return rows.with_columns(none, nothing)


def _beyond_scale(rows: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """Rows whose move (_far) or wick (_long) exceeds the robust scale of their block, with _at, their place, and _wick;
    the wider the hole before, the more may move."""
    settings = scope.settings
    # Against the close before, not the open: a false open would be its own body. Behind a hole or a night an open may
    # be anywhere.
    apart = pl.col("_first") | (pl.col("_missing") > 0) | scope.sessions
    before = pl.when(apart).then("open").otherwise(pl.col("close").shift(1))
    body = rows.select(
        pl.max_horizontal("close", before).alias("_top"), pl.min_horizontal("close", before).alias("_bottom")
    )
    rows = rows.hstack(body)
    top, bottom = pl.col("_top"), pl.col("_bottom")
    # Only those that exceed the least limit are looked at closer. Of wicks the logarithm is not needed for that.
    reach = math.exp(settings.wick_return_min)
    may_be = (pl.col("_return").abs() > settings.outlier_return_min).fill_null(False) | (
        (pl.col("high") > top * reach) | (pl.col("low") * reach < bottom)
    )
    places = rows.select(may_be).to_series().arg_true().alias("_at")
    wick = pl.max_horizontal((pl.col("high") / top).log(), (bottom / pl.col("low")).log())
    scaled = pl.col("_scale") * settings.outlier_scales_min
    width = (pl.col("_missing") + 1).sqrt()
    far = pl.col("_return").abs() > pl.max_horizontal(pl.lit(settings.outlier_return_min), scaled) * width
    long = pl.col("_wick") > pl.max_horizontal(pl.lit(settings.wick_return_min), scaled)
    return (
        rows[places]
        .with_columns(places, wick.alias("_wick"))
        .filter(pl.col("_scale").is_not_null())
        .with_columns(far.fill_null(False).alias("_far"), long.fill_null(False).alias("_long"))
        .filter(pl.col("_far") | pl.col("_long"))
    )


def _judged(rows: pl.DataFrame, candidates: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """_at, _outlier and _move of every bar that belongs to an outlier: a false level may last a few bars."""
    settings = scope.settings
    around = _with_neighbours(rows, candidates, settings.outlier_bars_max)
    size = pl.col("_return").abs()
    left = settings.outlier_return_ratio * size
    after = [
        (pl.col(f"_next{n}") / pl.col("_prior1")).log().abs() < left for n in range(1, settings.outlier_bars_max + 1)
    ]
    # The way back from a false price is as far as the way there, and lands on the level that stood before it.
    # Two bars stood there: of prices that go to and fro the false one is no level.
    at_level = {
        n: (pl.col("close") / pl.col(f"_prior{n}")).log().abs() < left for n in range(2, settings.outlier_bars_max + 3)
    }
    back_again = pl.any_horizontal(
        at_level[n].fill_null(False) & at_level[n + 1].fill_null(True) for n in range(2, settings.outlier_bars_max + 2)
    )
    lasts = pl.coalesce(
        *(pl.when(came.fill_null(False)).then(pl.lit(n)) for n, came in enumerate(after, start=1)), pl.lit(0)
    )
    # A market that fell trades on from where it fell to; a false close stands alone.
    onwards = ((pl.col("_next_open") / pl.col("close")).log().abs() < left).fill_null(True)
    heavy = (pl.col("volume") >= settings.outlier_volume_ratio * pl.col("_usual")).fill_null(False)
    joined = ((pl.col("open") / pl.col("_prior1")).log().abs() < left).fill_null(False)
    around = around.with_columns(
        lasts.alias("_lasts"),
        (heavy & joined & onwards).alias("_supported"),
        pl.col("_next1").is_null().alias("_newest"),
        (pl.col("_far") & ~back_again).alias("_moved"),
    )
    verdict = (
        pl.when(pl.col("_moved") & (pl.col("_lasts") > 0))
        .then(pl.when("_supported").then(Outlier.SUPPORTED.value).otherwise(Outlier.FALSE.value))
        .when(pl.col("_moved") & pl.col("_newest"))
        .then(pl.when("_supported").then(Outlier.SUPPORTED.value).otherwise(Outlier.UNCONFIRMED.value))
        .when(pl.col("_long") & heavy)
        .then(Outlier.SUPPORTED.value)
        .when(pl.col("_long") & (pl.col("_wick") > 2 * settings.wick_return_min))
        .then(Outlier.FALSE_WICK.value)
        .when(pl.col("_long"))
        .then(Outlier.WICK.value)
        .otherwise(Outlier.NONE.value)
    )
    move = pl.when("_far").then(pl.col("_return")).otherwise(pl.col("_wick"))
    told = around.with_columns(verdict.cast(pl.Int8).alias("_outlier"), move.alias("_move")).filter(
        pl.col("_outlier") > 0
    )
    length = pl.when(pl.col("_outlier") == Outlier.FALSE.value).then(pl.col("_lasts")).otherwise(1)
    return (
        told.with_columns(pl.int_ranges(pl.col("_at"), pl.col("_at") + length, dtype=pl.UInt32).alias("_at"))
        .select("_at", "_outlier", "_move")
        .explode("_at")
        .unique("_at", keep="first", maintain_order=True)
    )


def _with_neighbours(rows: pl.DataFrame, candidates: pl.DataFrame, reach: int) -> pl.DataFrame:
    """Closes of the bars before (_prior1 is the nearest) and after, _next_open; null beyond the symbol's ends."""
    places = candidates.get_column("_at").cast(pl.Int64)
    around = pl.concat([places + offset for offset in range(-reach - 2, reach + 1)]).unique().sort()
    around = around.filter(around.is_between(0, rows.height - 1))
    near = rows.select("symbol", "open", "close")[around].with_columns(around.alias("_place"))

    def beside(name: str, offset: int) -> pl.Expr:
        """What stands `offset` rows on, if it is there and of the same symbol."""
        there = (pl.col("_place").shift(-offset) == pl.col("_place") + offset) & (
            pl.col("symbol").shift(-offset) == pl.col("symbol")
        )
        return pl.when(there).then(pl.col(name).shift(-offset))

    priors = (beside("close", -n).alias(f"_prior{n}") for n in range(1, reach + 3))
    nexts = (beside("close", n).alias(f"_next{n}") for n in range(1, reach + 1))
    neighbours = near.select(pl.col("_place").alias("_at"), *priors, *nexts, beside("open", 1).alias("_next_open"))
    return candidates.with_columns(places).join(neighbours, on="_at", how="left", maintain_order="left")
