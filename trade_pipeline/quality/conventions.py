"""What sources do where nothing is traded. A name that is not here is taken as filling every minute."""

from __future__ import annotations

import polars as pl

from trade_pipeline.settings.quality import QualitySettings

LEAVE_OUT_IDLE_BARS = ("bitfinex", "bittrex", "bitstamp", "coinbase", "kraken", "gemini", "poloniex", "recorded")
"""Beginnings of the names of sources that give no bar where nothing was traded. A recording's maker is not known,
so that it might leave them out."""


def idle_is_missing(settings: QualitySettings) -> pl.Expr:
    """Whether a bar's source gives no bar where nothing was traded."""
    if settings.idle_minutes != "by_source":
        return pl.lit(settings.idle_minutes == "missing")
    source = pl.col("source")
    return pl.any_horizontal(source.str.starts_with(name) for name in LEAVE_OUT_IDLE_BARS)
