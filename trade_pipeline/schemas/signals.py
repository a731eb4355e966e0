"""What a frame of signals must be: one row per strategy, a score that is null (HOLD) or within -1..1."""

from __future__ import annotations

from typing import ClassVar

import pandera.polars as pa

from trade_pipeline.schemas.frames import REGIME_NAMES
from trade_pipeline.schemas.validation import Frame, UtcMs, number


class Signals(Frame):
    """Key: (symbol, open_time, strategy), unique."""

    symbol: str
    open_time: UtcMs
    close_time: UtcMs
    strategy_name: str = pa.Field(alias="strategy")  # pandera has a method of that name
    score: float = number(ge=-1, le=1)
    confidence: float = number(ge=0, le=1)
    regime: str = pa.Field(nullable=True, isin=list(REGIME_NAMES))
    reason: str

    class Config(Frame.Config):
        unique: ClassVar[list[str]] = ["symbol", "open_time", "strategy"]
