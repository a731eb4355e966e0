"""The public reads that market data and trading share: time, symbols, best prices.

Subclasses say how a request reaches the exchange (`_ask`); how answers are read is the same for both.
"""

from __future__ import annotations

import json
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from trade_pipeline.errors import MalformedAnswer, SymbolUnknown, VenueError, VenueUnavailable
from trade_pipeline.schemas.trading import BookTop, MarketRules
from trade_pipeline.venues.answers import listing, mapping, read_book_top, read_server_time, text
from trade_pipeline.venues.day_tickers import BINANCE_FIELDS, read_day_tickers
from trade_pipeline.venues.error_map import Asked
from trade_pipeline.venues.klines import read_klines
from trade_pipeline.venues.market_rules import Listing, read_listing

LOGGER = logging.getLogger(__name__)

LISTING_AGE_S_MAX = 900.0
WEIGHT_OF_ALL_TICKERS = 80
TICKER_SYMBOLS_MAX = 20
"""Symbols in one ticker request: above 20 its weight jumps from 2 to 40."""

BACKOFF_INITIAL_S = 0.05
BACKOFF_S_MAX = 1.0


def utc_now() -> datetime:
    return datetime.now(UTC)


def backoff(total_s: float) -> Any:
    """For stamina: repeat what is certainly worth repeating, and wait as long as the exchange asks."""

    def decide(error: Exception) -> bool | float:
        if not isinstance(error, VenueUnavailable):
            return False
        wait_s = float(getattr(error, "retry_after_s", 0.0))
        if wait_s > total_s:
            return False
        return wait_s if wait_s > 0 else True

    return decide


class PublicReads(ABC):
    """server_time, markets and book_tops on top of `_ask`."""

    def __init__(self) -> None:
        self._listing: tuple[float, Listing] | None = None

    @abstractmethod
    def _ask(self, method: str, params: Mapping[str, Any], asked: Asked, weight: float) -> Any:
        """The raw answer of ccxt's implicit `method`. Raises VenueError."""

    def server_time(self) -> datetime:
        """The exchange's clock, to the millisecond. Raises VenueError."""
        return read_server_time(self._ask("public_get_time", {}, Asked("the exchange's time"), 1))

    def markets(self) -> dict[str, MarketRules]:
        """Rules of every readable symbol, at most LISTING_AGE_S_MAX old. Raises VenueError at the first call only:
        later, rules that cannot be refreshed stay in force."""
        return dict(self._markets_now().rules)

    def book_tops(self, symbols: Sequence[str]) -> dict[str, BookTop]:
        """Best prices by symbol. A symbol that is not listed, or whose answer is unreadable, is left out.

        Raises VenueError when the exchange does not answer at all.
        """
        known = self._markets_now()
        names = [known.ids[symbol] for symbol in dict.fromkeys(symbols) if symbol in known.ids]
        tops: dict[str, BookTop] = {}
        for start in range(0, len(names), TICKER_SYMBOLS_MAX):
            for row in self._tickers(names[start : start + TICKER_SYMBOLS_MAX]):
                try:
                    symbol = known.symbol_of(row)
                    tops[symbol] = read_book_top(row, symbol)
                except MalformedAnswer as error:
                    LOGGER.warning("a ticker was left out: %s", error)
        return tops

    def day_tickers(self, symbols: Sequence[str]) -> pl.DataFrame:
        """DAY_TICKERS of `symbols`, in one request whatever their number. Raises VenueError."""
        known, wanted = self._markets_now(), frozenset(symbols)
        answer = self._ask("public_get_ticker_24hr", {}, Asked("the last 24 hours"), WEIGHT_OF_ALL_TICKERS)

        def symbol_of(row: object) -> str | None:
            symbol = known.symbols.get(text(mapping(row, "ticker"), "symbol"))
            return symbol if symbol in wanted else None

        return read_day_tickers(listing(answer, "tickers"), symbol_of, BINANCE_FIELDS)

    def listed_at(self, symbols: Sequence[str]) -> dict[str, datetime]:
        """Open of each symbol's first candle: a request for each. A symbol without an answer is left out."""
        known, found = self._markets_now(), {}
        for symbol in symbols:
            params = {"symbol": known.ids.get(symbol, ""), "interval": "1m", "startTime": 0, "limit": 1}
            try:
                raw = self._ask("public_get_klines", params, Asked("the first candle", symbol), 2)
                first = read_klines(raw, symbol, "").get_column("open_time").min()
            except VenueError as error:
                LOGGER.warning("the first candle of %s is not known: %s", symbol, error)
            else:
                if isinstance(first, datetime):
                    found[symbol] = first
        return found

    def _tickers(self, names: Sequence[str]) -> Sequence[Any]:
        params = {"symbols": json.dumps(list(names), separators=(",", ":"))}
        try:
            return listing(self._ask("public_get_ticker_24hr", params, Asked("the best prices"), 2), "tickers")
        except SymbolUnknown:
            # One symbol that is gone refuses the whole list: ask for each of them.
            rows = []
            for name in names:
                try:
                    answer = self._ask("public_get_ticker_24hr", {"symbol": name}, Asked("the best prices", name), 2)
                    rows.append(mapping(answer, "ticker", name))
                except SymbolUnknown as error:
                    LOGGER.warning("a ticker was left out: %s", error)
            return rows

    def _markets_now(self, *, any_age: bool = False) -> Listing:
        """The symbols; with `any_age` what is known is good enough, so that an exit does not wait for a refresh."""
        kept = self._listing
        if kept is not None and (any_age or time.monotonic() - kept[0] < LISTING_AGE_S_MAX):
            return kept[1]
        try:
            fresh = self._read_listing()
        except VenueError as error:
            if kept is None:
                raise
            LOGGER.warning("the exchange's rules could not be refreshed, the old ones stay: %s", error)
            fresh = kept[1]
        self._listing = (time.monotonic(), fresh)
        return fresh

    def _read_listing(self) -> Listing:
        return read_listing(self._ask("public_get_exchangeinfo", {}, Asked("the exchange's symbols"), 20))
