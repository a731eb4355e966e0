"""Defects between a bar and the one before it: order, copies, holes. Conditions over the columns of `prepare`."""

from __future__ import annotations

import polars as pl

from trade_pipeline.quality.rules import Scope, Words


def out_of_order(scope: Scope) -> pl.Expr:
    """Rows that stand behind a later bar of their symbol."""
    del scope
    return pl.col("_late")


def out_of_order_words(scope: Scope) -> Words:
    del scope
    return Words(
        column=pl.lit("open_time"),
        value=pl.col("open_time"),
        limit=pl.lit("after the row before"),
        message=pl.format("{} has the bar of {} behind a later one", "symbol", "open_time"),
    )


def duplicate(scope: Scope) -> pl.Expr:
    """Every row of a key but the fullest: largest volume, then most trades, then the last one given."""
    del scope
    return pl.col("_loser")


def duplicate_words(scope: Scope) -> Words:
    del scope
    return Words(
        column=pl.lit("open_time"),
        value=pl.format("volume {}", pl.col("volume").cast(pl.String).fill_null("null")),
        limit=pl.lit("one row for each time"),
        message=pl.when("_equal")
        .then(pl.format("{} has the bar of {} {} times, all equal", "symbol", "open_time", "_copies"))
        .otherwise(
            pl.format("{} has {} different bars of {}: the fullest stays", "symbol", "_copies", "open_time"),
        ),
    )


def gap(scope: Scope) -> pl.Expr:
    """Rows before which bars are missing, of a symbol that misses more than `gap_bars_max` in the window.

    What is missing at the end is `staleness`; a history that begins late (a new listing) is no hole.
    """
    if scope.settings.gap_bars_max == 0:
        return pl.col("_missing") > 0
    return (pl.col("_missing") > 0) & (pl.col("_missing").sum().over("symbol") > scope.settings.gap_bars_max)


def gap_is_idle(scope: Scope) -> pl.Expr:
    """Holes that want of trades explains; see `prepare`."""
    del scope
    return pl.col("_idle")


def gap_words(scope: Scope) -> Words:
    first = pl.col("_before") + pl.duration(milliseconds=scope.bar_length_ms)
    hole = ("symbol", "_missing", first, "open_time")
    return Words(
        column=pl.lit("open_time"),
        value=pl.format("{} missing", "_missing"),
        limit=pl.lit(f"<= {scope.settings.gap_bars_max}"),
        message=pl.when(gap_is_idle(scope))
        .then(pl.format("{} has no bar for {} from {} to {}: nothing was traded", *hole))
        .otherwise(pl.format("{} misses {} bars from {} to {}", *hole)),
        open_time=first,
    )
