"""Trend following: hold while the fast average leads the slow one, having entered on a strong, not overheated move."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from trade_pipeline.settings.trading import TrendSettings
from trade_pipeline.signals.strategy import Opinion, held_score, known

SCORE_AT_ENTRY_MIN = 0.5
ADX_FOR_FULL_SCORE = 25.0
"""Trend strength above the entry's minimum at which the score reaches 1."""


@dataclass(frozen=True)
class TrendFollowing:
    """Enters in trend_up or breakout; leaves when the averages cross back, the trend turns or trading dries up."""

    settings: TrendSettings
    name: str = "trend"

    def opinion(self) -> Opinion:
        """Score 0.5 to 1 by the trend's strength at entry."""
        ready = known("ema_fast", "ema_slow", "adx", "rsi", "regime")
        leads = pl.col("ema_fast") > pl.col("ema_slow")
        strong = pl.col("adx") >= self.settings.adx_min
        cool = pl.col("rsi") <= self.settings.rsi_max
        enter = leads & strong & cool & pl.col("regime").is_in(["trend_up", "breakout"])
        leave = ~leads | pl.col("regime").is_in(["trend_down", "illiquid"])
        strength = SCORE_AT_ENTRY_MIN + (pl.col("adx") - self.settings.adx_min) / (2 * ADX_FOR_FULL_SCORE)
        score = held_score(enter, leave, strength.clip(SCORE_AT_ENTRY_MIN, 1.0), ready)
        reason = (
            pl.when(~ready)
            .then(pl.lit("warming up"))
            .when(score > 0)
            .then(pl.lit("the fast average leads the slow one since a strong entry"))
            .when(leave)
            .then(pl.lit("the fast average does not lead, or the regime forbids it"))
            .when(~strong)
            .then(pl.lit("the trend is too weak to enter"))
            .when(~cool)
            .then(pl.lit("the move is overheated"))
            .otherwise(pl.lit("the regime does not allow an entry"))
        )
        return Opinion(score, pl.when(ready).then((pl.col("adx") / 50.0).clip(0.0, 1.0)), reason)
