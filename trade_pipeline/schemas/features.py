"""What frames of features and regimes must be: nulls during warm-up, never NaN, each index within its range."""

from __future__ import annotations

from typing import ClassVar

import pandera.polars as pa

from trade_pipeline.schemas.frames import REGIME_NAMES
from trade_pipeline.schemas.validation import Frame, UtcMs, number


class Features(Frame):
    """Key: (symbol, open_time), unique."""

    symbol: str
    open_time: UtcMs
    close_time: UtcMs
    close: float = pa.Field(gt=0)
    ema_fast: float = number(gt=0)
    ema_slow: float = number(gt=0)
    rsi: float = number(ge=0, le=100)
    atr: float = number(ge=0)
    atr_ratio: float = number(ge=0)
    adx: float = number(ge=0, le=100.0000001)  # the mean of values up to 100 may round a bit above
    macd: float = number()
    macd_signal: float = number()
    macd_histogram: float = number()
    bollinger_upper: float = number()
    bollinger_lower: float = number()
    bollinger_position: float = number()
    donchian_high: float = number(gt=0)
    donchian_low: float = number(gt=0)
    realised_volatility: float = number(ge=0)
    volume_zscore: float = number()
    idle_ratio: float = number(ge=-1e-9, le=1.0000001)  # a running mean of zeros and ones
    synthetic: bool = pa.Field(nullable=True)

    class Config(Frame.Config):
        unique: ClassVar[list[str]] = ["symbol", "open_time"]


class Regimes(Frame):
    """Key: (symbol, open_time), unique."""

    symbol: str
    open_time: UtcMs
    close_time: UtcMs
    regime: str = pa.Field(nullable=True, isin=list(REGIME_NAMES))

    class Config(Frame.Config):
        unique: ClassVar[list[str]] = ["symbol", "open_time"]
