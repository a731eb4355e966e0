"""What the rest of the product may ask of an exchange.

Only shapes and promises belong here; `binance_market_data` and `binance_trading` keep them. Every method is
synchronous and may be called from any thread; symbols are unified ("BTC/USDT"), times are aware and UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import polars as pl

from trade_pipeline.errors import VenueError
from trade_pipeline.schemas.trading import AccountReading, BookTop, MarketRules, OrderRequest, VenueOrder, VenueTrade
from trade_pipeline.venues.capabilities import VenueCapabilities


@dataclass(frozen=True)
class BarsAnswer:
    """Bars of a batch, and why bars of some symbols are missing.

    `frame` has the columns of `schemas.frames.BARS`, in the order and with the duplicates of the exchange's
    answer, the running candle included. A symbol in `errors` has no rows.
    """

    frame: pl.DataFrame
    errors: Mapping[str, VenueError] = field(default_factory=dict)


class MarketDataVenue(Protocol):
    """Public data. Nothing here needs a key."""

    def server_time(self) -> datetime: ...

    def markets(self) -> dict[str, MarketRules]: ...

    def fetch_bars(
        self,
        symbols: Sequence[str],
        since: Mapping[str, datetime] | datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> BarsAnswer: ...

    def book_tops(self, symbols: Sequence[str]) -> dict[str, BookTop]: ...

    def day_tickers(self, symbols: Sequence[str]) -> pl.DataFrame:
        """DAY_TICKERS of those of `symbols` that the exchange tells of."""
        ...

    def listed_at(self, symbols: Sequence[str]) -> dict[str, datetime]:
        """When each symbol was first traded, of those of which the exchange tells it."""
        ...

    def close(self) -> None: ...


class TradingVenue(Protocol):
    """One account. What creates is sent once; OutcomeUnknown means: look it up, never send again.

    `cancel_replace` and `create_pair` only where the capabilities have them.
    """

    @property
    def capabilities(self) -> VenueCapabilities: ...

    def server_time(self) -> datetime: ...

    def markets(self) -> dict[str, MarketRules]: ...

    def account(self) -> AccountReading: ...

    def book_tops(self, symbols: Sequence[str]) -> dict[str, BookTop]: ...

    def open_orders(self, symbol: str | None = None) -> list[VenueOrder]: ...

    def order(self, symbol: str, client_order_id: str) -> VenueOrder: ...

    def orders(self, symbol: str, since: datetime) -> list[VenueOrder]: ...

    def trades(self, symbol: str, from_id: str | None = None, limit: int = 1000) -> list[VenueTrade]: ...

    def create(self, request: OrderRequest) -> VenueOrder: ...

    def cancel(self, symbol: str, client_order_id: str) -> VenueOrder: ...

    def cancel_replace(self, symbol: str, client_order_id: str, request: OrderRequest) -> VenueOrder: ...

    def create_pair(self, above: OrderRequest, below: OrderRequest) -> tuple[VenueOrder, VenueOrder]: ...

    def close(self) -> None: ...
