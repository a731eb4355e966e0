"""Bars made from a seed, for tests: random walks with the columns and types of `schemas.frames.BARS`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from trade_pipeline.schemas.frames import BARS

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def symbols(count: int) -> list[str]:
    return [f"S{number:02}/USDT" for number in range(count)]


def bars_of(symbol: str, closes: Sequence[float], start: datetime = START, volume: float | None = None) -> pl.DataFrame:
    """One symbol's bars along `closes`; each opens where the one before closed."""
    close = np.asarray(closes, dtype=float)
    opened = np.concatenate([close[:1], close[:-1]])
    wick = np.abs(np.sin(np.arange(len(close)) * 1.7)) * 8e-4
    open_time = [start + MINUTE * number for number in range(len(close))]
    volumes = 100 + 50 * np.cos(np.arange(len(close)) * 0.9) if volume is None else np.full(len(close), volume)
    return pl.DataFrame(
        {
            "symbol": [symbol] * len(close),
            "open_time": open_time,
            "close_time": [moment + MINUTE for moment in open_time],
            "open": opened,
            "high": np.maximum(opened, close) * (1 + wick),
            "low": np.minimum(opened, close) * (1 - wick),
            "close": close,
            "volume": volumes,
            "quote_volume": volumes * close,
            "trades": [10] * len(close),
            "source": ["made"] * len(close),
        },
        schema=BARS,
    )


def random_closes(count: int, seed: int, drift: float = 0.0, volatility: float = 8e-4) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(drift, volatility, count)
    closes: np.ndarray = 100.0 * np.exp(steps.cumsum())
    return closes


def random_bars(symbol_count: int, bar_count: int, seed: int = 11) -> pl.DataFrame:
    """Several symbols, each a random walk of its own."""
    frames = [
        bars_of(symbol, random_closes(bar_count, seed * 1000 + number).tolist())
        for number, symbol in enumerate(symbols(symbol_count))
    ]
    return pl.concat(frames)


def until(frame: pl.DataFrame, bar_count: int) -> pl.DataFrame:
    """The rows of the first `bar_count` minutes."""
    return frame.filter(pl.col("open_time") < START + MINUTE * bar_count)
