"""Moves that the market did not make: a close or a wick far outside the robust scale around it.

A fall of half in one bar may be real. What tells: the next bars stay there, or the bar carries a volume far above
the usual one, opens where the one before closed, and the next opens where it closed. What comes back without such
support was a false price. Log returns make it symmetrical: a doubling is judged as a halving is.

Scale: 1.4826 times the median absolute log return of the block around the bar (Hampel 1974: MAD of a normal
distribution), at least its upper quartile over 1.1503, because the median of a market with coarse ticks is 0. Neither
moves when a few prices are false, as a mean would.
"""

from __future__ import annotations

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


def with_outliers(rows: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """`rows` (see `prepare_series`) with _outlier (Outlier) and _move, the log distance that made it one."""
    settings = scope.settings
    up = (pl.col("high") / pl.max_horizontal("open", "close")).log()
    down = (pl.min_horizontal("open", "close") / pl.col("low")).log()
    rows = rows.with_columns(pl.max_horizontal(up, down).alias("_wick"))
    far = (pl.col("_return").abs() > settings.outlier_return_min).fill_null(False)
    long = (pl.col("_wick") > settings.wick_return_min).fill_null(False)
    rows = rows.with_row_index("_at")
    candidates = rows.filter(far | long)
    if candidates.is_empty():
        return rows.with_columns(pl.lit(0, pl.Int8).alias("_outlier"), pl.lit(None, pl.Float64).alias("_move")).drop(
            "_at"
        )
    judged = _judged(rows, _beyond_scale(rows, candidates, scope), scope)
    found = rows.join(judged, on="_at", how="left", maintain_order="left")
    return found.with_columns(pl.col("_outlier").fill_null(0)).drop("_at")


def _beyond_scale(rows: pl.DataFrame, candidates: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """Candidates whose move exceeds the robust scale of their block; the wider the hole before, the more may move."""
    blocks = candidates.select("_block").unique()
    absolute = pl.col("_return").abs()
    scales = (
        rows.join(blocks, on="_block", how="semi")
        .group_by("_block")
        .agg(
            pl.max_horizontal(
                absolute.median() * MAD_TO_SIGMA, absolute.quantile(0.75, "linear") * UPPER_QUARTILE_TO_SIGMA
            ).alias("_scale"),
            absolute.count().alias("_returns"),
        )
        .filter(pl.col("_returns") >= RETURNS_MIN)
    )
    width = (pl.col("_missing") + 1).sqrt()
    limit = pl.max_horizontal(
        pl.lit(scope.settings.outlier_return_min), pl.col("_scale") * scope.settings.outlier_scales_min
    )
    wick_limit = pl.max_horizontal(
        pl.lit(scope.settings.wick_return_min), pl.col("_scale") * scope.settings.outlier_scales_min
    )
    return (
        candidates.join(scales, on="_block", how="inner")
        .with_columns(
            (pl.col("_return").abs() > limit * width).fill_null(False).alias("_far"),
            (pl.col("_wick") > wick_limit).fill_null(False).alias("_long"),
        )
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
    back_again = pl.any_horizontal(
        ((pl.col("close") / pl.col(f"_prior{n}")).log().abs() < left).fill_null(False)
        for n in range(2, settings.outlier_bars_max + 2)
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
    names = rows.get_column("symbol")
    places = candidates.get_column("_at").cast(pl.Int64)
    columns = []
    wanted = [(f"_prior{n}", "close", -n) for n in range(1, reach + 2)]
    wanted += [(f"_next{n}", "close", n) for n in range(1, reach + 1)]
    wanted.append(("_next_open", "open", 1))
    for label, name, offset in wanted:
        values = rows.get_column(name)
        there = places + offset
        inside = (there >= 0) & (there < rows.height)
        safe = there.clip(0, rows.height - 1)
        same = inside & (names.gather(safe) == candidates.get_column("symbol"))
        columns.append(pl.select(pl.when(same).then(values.gather(safe))).to_series().alias(label))
    return candidates.with_columns(columns)
