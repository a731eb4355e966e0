"""Settings of data quality: when a bar is a defect, what may be repaired, and when a symbol or a decision stops."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from trade_pipeline.settings.base import Section

IdleMinutes = Literal["by_source", "filled", "missing"]


class QualitySettings(Section):
    """Limits beyond which a bar is a defect, and what follows from defects."""

    staleness_s_max: float = Field(90.0, gt=0, le=86_400)
    """Age of the newest bar's close, at the decision, beyond which the feed is stale."""
    gap_bars_max: int = Field(0, ge=0, le=10_000)
    """Missing bars within the checked window that are tolerated for a symbol."""
    idle_minutes: IdleMinutes = "by_source"
    """What a source does where nothing was traded: filled (a bar of volume 0) or missing (no bar); by_source knows."""
    idle_bars_max: int = Field(30, ge=0, le=10_000)
    """Longest hole that want of trades explains in a source which leaves out idle minutes; of a symbol that is seldom
    traded as many more as its share of idle minutes makes likely. A longer one is an outage."""
    fill_bars_max: int = Field(30, ge=0, le=10_000)
    """Longest hole that is filled with flagged bars at the last price, so that later bars keep their places."""
    outlier_return_min: float = Field(0.03, gt=0, le=10)
    """Log return of a bar below which no move is an outlier, however quiet the market."""
    outlier_scales_min: float = Field(12.0, gt=0, le=10_000)
    """Robust scales (MAD of the log returns around the bar) that a move must exceed to be an outlier."""
    outlier_return_ratio: float = Field(0.35, gt=0, lt=1)
    """A move has come back when no more than this share of it is left; it is confirmed when more stays."""
    outlier_bars_max: int = Field(3, ge=1, le=20)
    """Bars within which a false price comes back; a level that holds longer is the market's."""
    outlier_volume_ratio: float = Field(3.0, gt=1, le=10_000)
    """Volume over the usual one that makes a move believable, if its path joins those of the bars before and after."""
    wick_return_min: float = Field(0.25, gt=0, le=10)
    """Log distance of a high or low from the bar's body that is told; twice as far without volume it is false."""
    volume_scales_max: float = Field(6.0, gt=1, le=10_000)
    """Robust scales of the logarithm of volume above the usual one beyond which a volume is told."""
    frozen_bars_min: int = Field(4, ge=2, le=10_000)
    """Equal bars in a row, volume included, after which the feed counts as frozen."""
    still_bars_min: int = Field(120, ge=2, le=10_000)
    """Bars in a row without a trade and without a move that are told."""
    disagreement_ratio_max: float = Field(0.01, gt=0, le=1)
    """Largest log difference between the closes of two sources of one bar."""
    quarantine_bars: int = Field(200, ge=1, le=10_000)
    """A symbol is held while an unrepaired defect lies in so many bars before the decision."""
    synthetic_bars_refused: bool = False
    """Hold a symbol whose newest bar is flagged as synthetic: nothing was traded at its price."""
    score_min: float = Field(0.9, ge=0, le=1)
    """Score of a symbol over the decision's window below which it is held."""
    breadth_max: float = Field(0.5, gt=0, le=1)
    """Share of the universe in quarantine at which the whole decision stops."""
    failing_rows_shown_max: int = Field(20, ge=1, le=1000)

    @model_validator(mode="after")
    def _limits_are_in_order(self) -> QualitySettings:
        if self.wick_return_min < self.outlier_return_min:
            raise ValueError(
                f"wick_return_min is {self.wick_return_min}, below outlier_return_min {self.outlier_return_min}: "
                "a wick is judged more mildly than a close, not more strictly"
            )
        return self
