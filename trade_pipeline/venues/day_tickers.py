"""The last 24 hours of many symbols at once, for a scan: read into one frame, whatever cannot be read left out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import polars as pl

from trade_pipeline.errors import MalformedAnswer
from trade_pipeline.schemas.frames import DAY_TICKERS
from trade_pipeline.venues.answers import Raw, mapping, number

LOGGER = logging.getLogger(__name__)

BINANCE_FIELDS = ("lastPrice", "bidPrice", "askPrice", "highPrice", "lowPrice", "quoteVolume")
UNIFIED_FIELDS = ("last", "bid", "ask", "high", "low", "quoteVolume")


def read_day_tickers(
    rows: Iterable[Any], symbol_of: Callable[[Any], str | None], fields: Iterable[str]
) -> pl.DataFrame:
    """A DAY_TICKERS frame, sorted by symbol. `symbol_of` answers None for a row that is not wanted.

    A value that is absent or null is null; one that is no number leaves its row out, with a warning.
    """
    names = tuple(fields)
    found = []
    for row in rows:
        try:
            symbol = symbol_of(row)
            if symbol is not None:
                raw = mapping(row, "ticker", symbol)
                found.append((symbol, *(_optional(raw, name, symbol) for name in names)))
        except MalformedAnswer as error:
            LOGGER.warning("a ticker was left out: %s", error)
    return pl.DataFrame(found, schema=DAY_TICKERS, orient="row").sort("symbol")


def _optional(raw: Raw, field: str, symbol: str) -> float | None:
    return None if raw.get(field) is None else float(number(raw, field, symbol))
