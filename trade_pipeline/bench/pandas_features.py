"""The product's features as pandas computes them: with TA-Lib where that package is installed, else by itself.

Only for comparison: nothing trades on it. The definitions are the product's, so that values can be held against it;
TA-Lib starts some averages a bar later or earlier, which is forgotten after `SETTLED_BARS`.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Any

import numpy as np

from trade_pipeline.settings.trading import FeatureSettings

SETTLED_BARS = 1000
"""Rows of a symbol before which an average may still remember how it was started: (1 - 1/14) ** 1000 is 1e-32."""


def talib_or_none() -> ModuleType | None:
    """TA-Lib where it is installed. It is no dependency of the product."""
    return importlib.import_module("talib") if importlib.util.find_spec("talib") else None


def library_name() -> str:
    """What stands behind the comparison: "pandas with TA-Lib" or "pandas"."""
    return "pandas" if talib_or_none() is None else "pandas with TA-Lib"


def pandas_features(bars: Any, settings: FeatureSettings) -> Any:
    """`bars`: a pandas frame of symbol, high, low, close, volume, sorted by symbol and time. The same rows, features.

    Symbol by symbol, as pandas is used with indicators that know nothing of groups.
    """
    import pandas as pd

    indicators = talib_or_none()
    parts = [_of_symbol(part, settings, indicators) for _, part in bars.groupby("symbol", sort=False)]
    return pd.concat(parts)


def _of_symbol(bars: Any, settings: FeatureSettings, talib: ModuleType | None) -> Any:
    import pandas as pd

    named = _plain(bars, settings) if talib is None else _with_talib(bars, settings, talib)
    high, low, close, volume = (bars[name] for name in ("high", "low", "close", "volume"))
    named["atr_ratio"] = named["atr"] / close
    named["macd_histogram"] = named["macd"] - named["macd_signal"]
    lower = named["bollinger_lower"]
    named["bollinger_position"] = (close - lower) / (named["bollinger_upper"] - lower)
    named["donchian_high"] = high.shift(1).rolling(settings.donchian_bars).max()
    named["donchian_low"] = low.shift(1).rolling(settings.donchian_bars).min()
    named["realised_volatility"] = np.log(close).diff().rolling(settings.volatility_bars).std()
    window = volume.rolling(settings.volume_bars)
    named["volume_zscore"] = (volume - window.mean()) / window.std()
    named["idle_ratio"] = (volume <= 0).astype(float).rolling(settings.volume_bars).mean()
    return pd.DataFrame(named, index=bars.index)


def _with_talib(bars: Any, settings: FeatureSettings, talib: Any) -> dict[str, Any]:
    high, low, close = (bars[name].to_numpy() for name in ("high", "low", "close"))
    macd, macd_signal, _ = talib.MACD(
        close, settings.macd_fast_bars, settings.macd_slow_bars, settings.macd_signal_bars
    )
    width = settings.bollinger_width
    upper, _, lower = talib.BBANDS(close, settings.bollinger_bars, width, width)
    return {
        "ema_fast": talib.EMA(close, settings.ema_fast_bars),
        "ema_slow": talib.EMA(close, settings.ema_slow_bars),
        "rsi": talib.RSI(close, settings.rsi_bars),
        "atr": talib.ATR(high, low, close, settings.atr_bars),
        "adx": talib.ADX(high, low, close, settings.adx_bars),
        "macd": macd,
        "macd_signal": macd_signal,
        "bollinger_upper": upper,
        "bollinger_lower": lower,
    }


def _plain(bars: Any, settings: FeatureSettings) -> dict[str, Any]:
    high, low, close = bars["high"], bars["low"], bars["close"]
    before = close.shift(1)
    true_range = np.maximum(high, before.fillna(high)) - np.minimum(low, before.fillna(low))
    move = close.diff()
    gain = _wilder(move.clip(lower=0.0), settings.rsi_bars)
    loss = _wilder((-move).clip(lower=0.0), settings.rsi_bars)
    macd = _ema(close, settings.macd_fast_bars) - _ema(close, settings.macd_slow_bars)
    band = close.rolling(settings.bollinger_bars)
    mean, width = band.mean(), settings.bollinger_width * band.std(ddof=0)
    return {
        "ema_fast": _ema(close, settings.ema_fast_bars),
        "ema_slow": _ema(close, settings.ema_slow_bars),
        "rsi": 100.0 * gain / (gain + loss),
        "atr": _wilder(true_range, settings.atr_bars),
        "adx": _adx(high, low, true_range, settings.adx_bars),
        "macd": macd,
        "macd_signal": _ema(macd, settings.macd_signal_bars),
        "bollinger_upper": mean + width,
        "bollinger_lower": mean - width,
    }


def _adx(high: Any, low: Any, true_range: Any, bars: int) -> Any:
    up, down = high.diff(), -low.diff()
    plus = up.where((up > down) & (up > 0), 0.0).where(up.notna())
    minus = down.where((down > up) & (down > 0), 0.0).where(up.notna())
    moved = _wilder(true_range.where(up.notna()), bars)
    plus, minus = _wilder(plus, bars) / moved, _wilder(minus, bars) / moved
    return _wilder(100.0 * (plus - minus).abs() / (plus + minus), bars)


def _ema(values: Any, bars: int) -> Any:
    return _seeded(values, bars, 2.0 / (bars + 1.0))


def _wilder(values: Any, bars: int) -> Any:
    return _seeded(values, bars, 1.0 / bars)


def _seeded(values: Any, bars: int, alpha: float) -> Any:
    """pandas' recursion, begun with the mean of the first `bars` values."""
    first = values.first_valid_index()
    start = values.index.get_loc(first) if first is not None else len(values)
    seeded = values.to_numpy(copy=True)
    seed = start + bars - 1
    if seed < len(seeded):
        seeded[seed] = seeded[start : seed + 1].mean()
    seeded[:seed] = np.nan
    return type(values)(seeded, index=values.index).ewm(alpha=alpha, adjust=False, ignore_na=True).mean()
