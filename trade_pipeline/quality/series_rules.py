"""Defects that show against the bars around: false prices, strange volumes, feeds that stand still.

Conditions over the columns of `prepare_series`, which holds only bars that are sound by themselves.
"""

from __future__ import annotations

import polars as pl

from trade_pipeline.quality.moves import Outlier
from trade_pipeline.quality.rules import Scope, Words


def outlier(scope: Scope) -> pl.Expr:
    """Closes and wicks far outside the robust scale; see `quality.moves`."""
    del scope
    return pl.col("_outlier") > 0


def outlier_is_mild(scope: Scope) -> pl.Expr:
    """Volume and open agree with the move: told, and believed. A moderate wick is told: it decides no price."""
    del scope
    return pl.col("_outlier").is_in([Outlier.SUPPORTED.value, Outlier.WICK.value])


def outlier_words(scope: Scope) -> Words:
    limit = f"within {scope.settings.outlier_scales_min:g} robust scales, or confirmed"
    what = pl.col("_outlier").replace_strict(
        {
            Outlier.SUPPORTED.value: "moves far, with the volume for it",
            Outlier.FALSE.value: "moves far and comes back without the volume for it",
            Outlier.UNCONFIRMED.value: "moves far, and nothing confirms it yet",
            Outlier.WICK.value: "has a high or low far from its body",
            Outlier.FALSE_WICK.value: "has a high or low very far from its body without the volume for it",
        },
        default="moves far",
        return_dtype=pl.String,
    )
    percent = ((pl.col("_move").exp() - 1) * 100).round(1)
    return Words(
        column=pl.when(pl.col("_outlier") >= Outlier.WICK.value).then(pl.lit("high")).otherwise(pl.lit("close")),
        value=pl.format("{} %", percent),
        limit=pl.lit(limit),
        message=pl.format("{}: the bar of {} {}: {} %, close {}", "symbol", "open_time", what, percent, "close"),
    )


def volume_anomaly(scope: Scope) -> pl.Expr:
    """Volume far above the usual one, or a move without any volume."""
    del scope
    moved = (pl.col("volume") == 0) & (pl.col("high") > pl.col("low"))
    return (pl.col("volume") > pl.col("_volume_max")).fill_null(False) | moved


def volume_anomaly_words(scope: Scope) -> Words:
    return Words(
        column=pl.lit("volume"),
        value=pl.col("volume"),
        limit=pl.lit(f"within {scope.settings.volume_scales_max:g} scales, and above 0 where the price moves"),
        message=pl.format("{}: the bar of {} has volume {}, usual is {}", "symbol", "open_time", "volume", "_usual"),
    )


def _still() -> pl.Expr:
    """A bar without a trade at the price of the one before."""
    return (pl.col("_same") & (pl.col("volume") == 0)).cast(pl.Int32)


def _equal() -> pl.Expr:
    return (pl.col("_same") & (pl.col("volume") > 0)).cast(pl.Int32)


def frozen_feed(scope: Scope) -> pl.Expr:
    """The last row of so many equal bars: trades of the same size at the same prices do not come in a row."""
    equal, still = scope.settings.frozen_bars_min - 1, scope.settings.still_bars_min - 1
    return (_equal().rolling_sum(equal) >= equal).fill_null(False) | (_still().rolling_sum(still) >= still).fill_null(
        False
    )


def frozen_is_mild(scope: Scope) -> pl.Expr:
    """Bars of one price may be equal by chance, or be a market in which nothing happens."""
    del scope
    return pl.col("high") == pl.col("low")


def frozen_feed_words(scope: Scope) -> Words:
    return Words(
        column=pl.lit("close"),
        value=pl.col("close"),
        limit=pl.lit(f"fewer than {scope.settings.frozen_bars_min} equal bars in a row"),
        message=pl.format("{}: the bar of {} repeats those before it: the feed may be frozen", "symbol", "open_time"),
    )


def no_trade(scope: Scope) -> pl.Expr:
    """Bars that the source filled where nothing was traded: volume 0 at one price."""
    del scope
    return (pl.col("volume") == 0) & (pl.col("high") == pl.col("low"))


def no_trade_words(scope: Scope) -> Words:
    del scope
    return Words(
        column=pl.lit("volume"),
        value=pl.col("volume"),
        limit=pl.lit("> 0 for a price that was traded"),
        message=pl.format("{}: nothing was traded in the bar of {}", "symbol", "open_time"),
    )
