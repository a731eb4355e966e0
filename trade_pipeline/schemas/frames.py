"""Column names and polars types of the frames in which the stages meet.

One place, so that pandera models, the lake and the stages cannot drift apart. Times are UTC in milliseconds;
market data is Float64 (a measurement), quantities that become orders are Decimal(38, 18) (money).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import polars as pl

UTC_MS = pl.Datetime("ms", "UTC")
QUANTITY = pl.Decimal(38, 18)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

BARS: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "open_time": UTC_MS,
    "close_time": UTC_MS,  # exclusive: open_time + bar length
    "open": pl.Float64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "close": pl.Float64(),
    "volume": pl.Float64(),  # base units
    "quote_volume": pl.Float64(),  # null where the source does not say
    "trades": pl.Int64(),  # as above
    "source": pl.String(),  # "binance-sim", "file:...": who said so
}
"""raw_bars and bars. Key: (symbol, open_time)."""

SYMBOL_PATTERN = r"^[A-Z0-9.-]+/[A-Z0-9]+$"

BAR_KEY = ("symbol", "open_time")

JUDGED_BARS: dict[str, pl.DataType] = {
    **BARS,
    "synthetic": pl.Boolean(),  # nothing was traded at this price: the last one carried on, volume 0
    "repair": pl.String(),  # what was done to the bar, null where it stands as the source gave it
}
"""What a decision may read: accepted and repaired bars. Key: (symbol, open_time)."""

DOUBLED_BARS: dict[str, pl.DataType] = {
    **BARS,
    "copy": pl.Int32(),  # counts the rows that one answer gave of a key from 0
    "as_of": UTC_MS,  # close of the bar that was waited for when they were read
}
"""doubled_bars: rows of times that a source gave more than once, as it gave them. Key: (symbol, open_time, copy)."""

QUARANTINED_BARS: dict[str, pl.DataType] = {
    **BARS,
    "copy": pl.Int32(),  # counts the rejected rows of one key from 0
    "rules": pl.String(),  # names of the rules that it broke, with commas between
    "reason": pl.String(),  # one sentence for people
}
"""Bars that no stage reads, kept with the reason. Key: (symbol, open_time, copy)."""

QUALITY_SCORES: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "open_time": UTC_MS,  # 00:00 of the day that is scored
    "as_of": UTC_MS,  # close of the last bar that was judged
    "expected": pl.Int64(),  # bars that the day should have, from the symbol's first one to `as_of`
    "accepted": pl.Int64(),
    "repaired": pl.Int64(),
    "quarantined": pl.Int64(),
    "synthetic": pl.Int64(),  # flagged bars among accepted and repaired ones, and those that fill a hole
    "missing": pl.Int64(),
    "score": pl.Float64(),  # 0..1, see quality/score.py
    "held": pl.String(),  # why the symbol is in quarantine at `as_of`, null where it is not
}
"""Key: (symbol, open_time)."""

COARSE_BARS: dict[str, pl.DataType] = {
    **BARS,
    "length_s": pl.Int32(),
    "base_bars": pl.Int32(),  # finer bars inside; fewer than fit where minutes are missing
}
"""coarse_bars. Key: (symbol, length_s, open_time)."""

RECORDED_BARS: dict[str, pl.DataType] = {**JUDGED_BARS, "length_s": pl.Int32()}
"""recorded_bars: what files held, of any length and source. Key: (symbol, source, length_s, open_time)."""

RECORDED_QUARANTINE: dict[str, pl.DataType] = {**QUARANTINED_BARS, "length_s": pl.Int32()}
"""recorded_quarantine. Key: that of recorded_bars and `copy`."""

DAY_TICKERS: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "price": pl.Float64(),  # of the last trade
    "bid": pl.Float64(),
    "ask": pl.Float64(),
    "high": pl.Float64(),  # of the last 24 hours, as the next two
    "low": pl.Float64(),
    "day_volume_quote": pl.Float64(),
}
"""The last 24 hours of many symbols, one row each; what an exchange does not tell is null."""

UNIVERSE: dict[str, pl.DataType] = {
    "scanned_at": UTC_MS,
    "symbol": pl.String(),
    "selected": pl.Boolean(),
    "reason": pl.String(),  # why not; empty for what is selected
    "rank": pl.Int32(),  # 1 is the most traded of those that pass the filters; null for others
    "price": pl.Float64(),
    "day_volume_quote": pl.Float64(),
    "spread_ratio": pl.Float64(),
    "day_range_ratio": pl.Float64(),
    "listed_at": UTC_MS,  # open of the first bar, where it was asked for
}
"""universe. Key: (scanned_at, symbol)."""

FEATURES: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "open_time": UTC_MS,
    "close_time": UTC_MS,
    "close": pl.Float64(),
    "ema_fast": pl.Float64(),
    "ema_slow": pl.Float64(),
    "rsi": pl.Float64(),  # Wilder, 0..100
    "atr": pl.Float64(),  # Wilder, quote units
    "atr_ratio": pl.Float64(),  # atr / close
    "adx": pl.Float64(),  # Wilder, 0..100
    "macd": pl.Float64(),
    "macd_signal": pl.Float64(),
    "macd_histogram": pl.Float64(),
    "bollinger_upper": pl.Float64(),
    "bollinger_lower": pl.Float64(),
    "bollinger_position": pl.Float64(),  # 0 at the lower band, 1 at the upper
    "donchian_high": pl.Float64(),  # of the bars before this one
    "donchian_low": pl.Float64(),
    "realised_volatility": pl.Float64(),  # per bar, standard deviation of log returns
    "volume_zscore": pl.Float64(),
    "idle_ratio": pl.Float64(),  # share of the volume window's bars without a trade
    "synthetic": pl.Boolean(),  # nothing was traded in this bar: its price is the last one carried on
}
"""Warm-up rows hold nulls (never NaN)."""

REGIMES: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "open_time": UTC_MS,
    "close_time": UTC_MS,
    "regime": pl.String(),  # one of REGIME_NAMES, null during warm-up
}
REGIME_NAMES = ("trend_up", "trend_down", "range", "volatile", "breakout", "illiquid")

SIGNALS: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "open_time": UTC_MS,
    "close_time": UTC_MS,
    "strategy": pl.String(),
    "score": pl.Float64(),  # -1..1; null is HOLD, 0 or less is FLAT
    "confidence": pl.Float64(),  # 0..1
    "regime": pl.String(),
    "reason": pl.String(),  # one short sentence, for people
}
"""Key: (symbol, open_time, strategy)."""

TARGETS: dict[str, pl.DataType] = {
    "decision_id": pl.String(),
    "as_of": UTC_MS,  # close of the last bar that was used
    "symbol": pl.String(),
    "kind": pl.String(),  # TargetKind
    "quantity": QUANTITY,  # base; 0 for FLAT, null for HOLD
    "price": QUANTITY,  # decision price in quote (close of the last bar), null when unknown
    "stop_distance": QUANTITY,  # quote units below the entry at which the stop rests, null for HOLD
    "score": pl.Float64(),
    "weight": pl.Float64(),  # share of equity that the quantity stands for
    "strategy": pl.String(),  # "+".join of the contributing strategies
    "sleeves": pl.String(),  # canonical JSON, strategy -> base quantity as text; adds up to `quantity`
    "expires_at": UTC_MS,  # the next bar's close
    "reason": pl.String(),
}
"""target_positions and approved_targets. Key: (decision_id, symbol)."""

LAKE_COLUMNS: dict[str, pl.DataType] = {
    "known_at": UTC_MS,  # when we learned this row
    "revision": pl.Int32(),  # 0 for the first value of a key, then counting up
    "date": pl.String(),  # partition: UTC date of open_time (as_of for targets), YYYY-MM-DD
}
"""Added by the lake on writing; a stage never sees them unless it asks for a past view."""


def moment(at: datetime) -> pl.Expr:
    """`at` as a value of UTC_MS. It is made from a number: polars takes forty times as long for a time with a zone."""
    return pl.lit((at - _EPOCH) // timedelta(milliseconds=1), pl.Int64).cast(UTC_MS)


def empty(columns: dict[str, pl.DataType]) -> pl.DataFrame:
    """A frame without rows that has exactly these columns and types."""
    return _made_once(tuple(columns.items())).clone()


@cache
def _made_once(columns: tuple[tuple[str, pl.DataType], ...]) -> pl.DataFrame:
    """To make a frame column by column takes a quarter of a millisecond, and a verdict needs a dozen empty ones."""
    return pl.DataFrame(schema=dict(columns))
