"""Defects that one bar shows by itself: its prices, how they enclose each other, its volume, where it stands in time.

Each function is one condition over the columns of `prepare`; its words stand behind it.
"""

from __future__ import annotations

import math

import polars as pl

from trade_pipeline.quality.rules import Scope, Words
from trade_pipeline.schemas.frames import moment

PRICES = ("open", "high", "low", "close")
WEEK_MS = 7 * 86_400_000
MONDAY_MS = 4 * 86_400_000
"""1970-01-01 was a Thursday: weeks of an exchange begin four days later."""


def _is_bad(name: str) -> pl.Expr:
    # NaN is above every number here, and infinity is not below itself: two comparisons say what is_finite says.
    return ~((pl.col(name) > 0) & (pl.col(name) < math.inf)).fill_null(False)


def non_positive_price(scope: Scope) -> pl.Expr:
    """Prices that are null, NaN, infinite, 0 or negative."""
    del scope
    return pl.any_horizontal(_is_bad(name) for name in PRICES)


def non_positive_price_words(scope: Scope) -> Words:
    """Names the first such column."""
    del scope
    column = pl.coalesce(pl.when(_is_bad(name)).then(pl.lit(name)) for name in PRICES)
    value = pl.coalesce(pl.when(_is_bad(name)).then(pl.col(name).cast(pl.String).fill_null("null")) for name in PRICES)
    message = pl.format("{} has {} {}: a price must be above 0", pl.col("symbol"), column, value)
    return Words(column, value, pl.lit("> 0"), message)


_TOP = pl.max_horizontal("open", "close", "low")
_BOTTOM = pl.min_horizontal("open", "close", "high")


def high_low_enclose(scope: Scope) -> pl.Expr:
    """Bars whose high is below, or whose low is above, one of their other prices."""
    del scope
    # A price that is none has a rule of its own; NaN would compare as the largest number.
    known = pl.all_horizontal(pl.col(name).is_finite() for name in PRICES).fill_null(False)
    return known & ((pl.col("high") < _TOP) | (pl.col("low") > _BOTTOM))


def high_low_enclose_words(scope: Scope) -> Words:
    del scope
    high_fails = pl.col("high") < _TOP
    return Words(
        column=pl.when(high_fails).then(pl.lit("high")).otherwise(pl.lit("low")),
        value=pl.when(high_fails).then(pl.col("high")).otherwise(pl.col("low")),
        limit=pl.when(high_fails).then(pl.format(">= {}", _TOP)).otherwise(pl.format("<= {}", _BOTTOM)),
        message=pl.format(
            "{}: open {}, high {}, low {}, close {} do not enclose each other", "symbol", "open", "high", "low", "close"
        ),
    )


def bad_volume(scope: Scope) -> pl.Expr:
    """Volumes that are null, NaN, infinite or negative; a quote volume or trade count that is known and negative."""
    del scope
    volume = ~(pl.col("volume").is_finite() & (pl.col("volume") >= 0)).fill_null(False)
    quote = ~(pl.col("quote_volume").is_finite() & (pl.col("quote_volume") >= 0)).fill_null(True)
    return volume | quote | (pl.col("trades") < 0).fill_null(False)


def bad_volume_words(scope: Scope) -> Words:
    del scope
    value = pl.format("{}, {}, {}", *(pl.col(name).cast(pl.String).fill_null("null") for name in _VOLUMES))
    message = pl.format("{}: volume, quote volume and trades are {}", pl.col("symbol"), value)
    return Words(pl.lit("volume"), value, pl.lit(">= 0"), message)


_VOLUMES = ("volume", "quote_volume", "trades")


def misaligned(scope: Scope) -> pl.Expr:
    """Bars that do not open on the grid of their length, or are not that long. Weeks begin on Monday, if all do not
    begin elsewhere."""
    length_ms = scope.bar_length_ms
    offset_ms = MONDAY_MS if length_ms % WEEK_MS == 0 else 0
    if scope.grid_offset_s is not None:
        offset_ms = scope.grid_offset_s * 1000
    opened = pl.col("open_time").dt.timestamp("ms")
    length = (pl.col("close_time") - pl.col("open_time")).dt.total_milliseconds()
    return ((opened - offset_ms) % length_ms != 0) | (length != length_ms)


def misaligned_words(scope: Scope) -> Words:
    return Words(
        column=pl.lit("open_time"),
        value=pl.format("{} to {}", "open_time", "close_time"),
        limit=pl.lit(f"a multiple of {scope.bar_length_s} s"),
        message=pl.format(
            f"{{}}: the bar from {{}} to {{}} is not on the grid of {scope.bar_length_s} s",
            "symbol", "open_time", "close_time",
        ),
    )  # fmt: skip


def running_candle(scope: Scope) -> pl.Expr:
    """Bars that have not closed at `as_of`: their close, high, low and volume still change."""
    return pl.col("close_time") > moment(scope.as_of)


def running_candle_words(scope: Scope) -> Words:
    return Words(
        column=pl.lit("close_time"),
        value=pl.col("close_time"),
        limit=pl.lit(f"<= {scope.as_of:%Y-%m-%d %H:%M:%S}"),
        message=pl.format("{}: the bar of {} is still running", "symbol", "open_time"),
    )
