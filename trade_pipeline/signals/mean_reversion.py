"""Mean reversion: buy a range's oversold close below the lower band, leave at the middle."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from trade_pipeline.settings.trading import MeanReversionSettings
from trade_pipeline.signals.strategy import Opinion, held_score, known

SCORE_AT_ENTRY_MIN = 0.5


@dataclass(frozen=True)
class MeanReversion:
    """Enters in a range only; leaves at the middle band, at a recovered RSI, or when a fall begins."""

    settings: MeanReversionSettings
    name: str = "mean_reversion"

    def opinion(self) -> Opinion:
        """Score 0.5 to 1 by how oversold the entry was."""
        ready = known("bollinger_position", "rsi", "regime")
        position, rsi = pl.col("bollinger_position"), pl.col("rsi")
        oversold = (position <= self.settings.band_entry_max) & (rsi <= self.settings.rsi_entry_max)
        enter = oversold & (pl.col("regime") == "range")
        recovered = (position >= self.settings.band_exit_min) | (rsi >= self.settings.rsi_exit_min)
        leave = recovered | pl.col("regime").is_in(["trend_down", "illiquid"])
        depth = (self.settings.rsi_entry_max - rsi) / max(self.settings.rsi_entry_max, 1.0)
        score = held_score(enter, leave, (SCORE_AT_ENTRY_MIN + depth).clip(SCORE_AT_ENTRY_MIN, 1.0), ready)
        reason = (
            pl.when(~ready)
            .then(pl.lit("warming up"))
            .when(score > 0)
            .then(pl.lit("oversold in a range, not yet back at the middle"))
            .when(recovered)
            .then(pl.lit("back at the middle, or recovered"))
            .when(oversold)
            .then(pl.lit("oversold, but not in a range"))
            .otherwise(pl.lit("not oversold"))
        )
        return Opinion(score, pl.when(ready).then((1.0 - rsi / 100.0).clip(0.0, 1.0)), reason)
