"""What a frame of bars must be: columns, types, and what holds within one column.

What holds between columns and rows (enclosing highs, order, gaps, staleness) has a rule of its own in `quality`.
"""

from __future__ import annotations

import pandera.polars as pa

from trade_pipeline.schemas.frames import SYMBOL_PATTERN
from trade_pipeline.schemas.validation import Frame, UtcMs


class Bars(Frame):
    """raw_bars. Key: (symbol, open_time)."""

    symbol: str = pa.Field(str_matches=SYMBOL_PATTERN)
    open_time: UtcMs
    close_time: UtcMs
    open: float
    high: float
    low: float
    close: float
    volume: float = pa.Field(ge=0, lt=float("inf"))
    quote_volume: float = pa.Field(ge=0, lt=float("inf"), nullable=True)
    trades: int = pa.Field(ge=0, nullable=True)
    source: str


class JudgedBars(Bars):
    """bars: what a decision may read. Key: (symbol, open_time)."""

    synthetic: bool
    repair: str = pa.Field(nullable=True)
