"""A venue as a source: what has a name and patience of its own is taken as it is, the rest is given both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as OutOfTime
from datetime import datetime

import polars as pl

from trade_pipeline.errors import VenueUnavailable
from trade_pipeline.market_data.sources.protocol import BarSource
from trade_pipeline.schemas.trading import BookTop, MarketRules
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline.venues.protocols import BarsAnswer, MarketDataVenue
from trade_pipeline.venues.unified_market_data import UnifiedMarketData

THREADS_MAX = 4
"""Reads of one venue that may be waited for at once, those given up included: each ends by the venue's own limit."""


def as_source(venue: MarketDataVenue, name: str) -> BarSource:
    """The venue under its own name where it has one, else under `name`."""
    return venue if isinstance(venue, (BinanceMarketData, UnifiedMarketData)) else PatientVenue(venue, name)


class PatientVenue:
    """A venue whose reads are given up as a whole after the patience: it cannot be asked for a part of a batch."""

    def __init__(self, venue: MarketDataVenue, name: str) -> None:
        self._venue = venue
        self._name = name
        self._threads: ThreadPoolExecutor | None = None

    @property
    def name(self) -> str:
        return self._name

    def fetch_bars(
        self,
        symbols: Sequence[str],
        since: Mapping[str, datetime] | datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        *,
        patience_s: float | None = None,
    ) -> BarsAnswer:
        """Raises VenueError; VenueUnavailable where the venue has not answered in time."""
        if patience_s is None:
            return self._venue.fetch_bars(symbols, since, until, limit)
        if self._threads is None:  # not before the first read: a warm worker forks after it has built this
            self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix=self._name)
        work = self._threads.submit(self._venue.fetch_bars, symbols, since, until, limit)
        try:
            return work.result(timeout=patience_s)
        except OutOfTime:
            work.cancel()
            raise VenueUnavailable("no answer in time", thing=self._name, value=f"{patience_s} s") from None

    def server_time(self) -> datetime:
        return self._venue.server_time()

    def markets(self) -> dict[str, MarketRules]:
        return self._venue.markets()

    def book_tops(self, symbols: Sequence[str]) -> dict[str, BookTop]:
        return self._venue.book_tops(symbols)

    def day_tickers(self, symbols: Sequence[str]) -> pl.DataFrame:
        return self._venue.day_tickers(symbols)

    def listed_at(self, symbols: Sequence[str]) -> dict[str, datetime]:
        return self._venue.listed_at(symbols)

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        self._venue.close()
