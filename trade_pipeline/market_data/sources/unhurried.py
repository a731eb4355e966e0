"""A cascade whose sources nobody hurries: for history, which another source is not believed to have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from trade_pipeline.market_data.sources.asked import Since
from trade_pipeline.market_data.sources.protocol import SourcedBars
from trade_pipeline.venues.protocols import MarketDataVenue


class Unhurried:
    """The same venue but for `fetch_bars`, which waits for each source as long as the source itself does."""

    def __init__(self, fetch_bars: Callable[..., SourcedBars], venue: MarketDataVenue) -> None:
        self._fetch_bars = fetch_bars
        self.server_time, self.markets = venue.server_time, venue.markets
        self.book_tops, self.day_tickers = venue.book_tops, venue.day_tickers
        self.listed_at, self.close = venue.listed_at, venue.close

    def fetch_bars(
        self,
        symbols: Sequence[str],
        since: Since = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> SourcedBars:
        return self._fetch_bars(symbols, since, until, limit, hurried=False)
