"""Small bar frames for tests of this room."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from trade_pipeline.schemas import frames

START = datetime(2024, 5, 1, tzinfo=UTC)


def bars(count: int, *, first: int = 0, symbols: tuple[str, ...] = ("BTC/USDT", "ETH/USDT")) -> pl.DataFrame:
    """`count` one-minute bars of each symbol from START + `first` minutes; values follow from minute and symbol."""
    rows = [
        {
            "symbol": symbol,
            "open_time": START + timedelta(minutes=minute),
            "close_time": START + timedelta(minutes=minute + 1),
            "open": 100.0 + minute,
            "high": 101.5 + minute,
            "low": 99.5 + minute,
            "close": 101.0 + minute,
            "volume": 10.0 + index,
            "quote_volume": 1000.0 + minute,
            "trades": 5 + minute,
            "source": "test",
        }
        for minute in range(first, first + count)
        for index, symbol in enumerate(symbols)
    ]
    return pl.DataFrame(rows, schema=frames.BARS)
