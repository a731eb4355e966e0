"""What paper trading follows of a real exchange beside its candles: public trades and the depth of the book."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.venues.answers import TIME_MS_MAX, listing, malformed, mapping, milliseconds, whole
from trade_pipeline.venues.error_map import Asked
from trade_pipeline.venues.factory import budget_path
from trade_pipeline.venues.unified_client import UnifiedOptions
from trade_pipeline.venues.unified_market_data import UnifiedMarketData
from trade_pipeline.venues.unified_rules import rules_of

LOGGER = logging.getLogger(__name__)

TRADES_MAX: Mapping[str, int] = {
    "binance": 1000, "kraken": 1000, "bybit": 60, "okx": 500, "coinbase": 1000, "kucoin": 100, "mexc": 1000,
}  # fmt: skip
"""Trades in one answer. Binance and Kraken give them from a time on, the others the newest only."""
_WITH_AN_END = frozenset({"coinbase", "mexc"})
_END_MARGIN_MS = 2000
_SPAN_MS_MAX = 3_600_000
"""What MEXC allows between start and end."""
PAGES_MAX = 20
"""Answers for one question."""


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """One trade of the market: price in quote, amount in base, time in ms of the exchange's clock."""

    id: str
    at_ms: int
    price: Decimal
    amount: Decimal
    buyer_is_maker: bool


@dataclass(frozen=True, slots=True)
class Depth:
    """Both sides of a book, best first, as (price, amount)."""

    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


class PublicFeed(UnifiedMarketData):
    """Reads of one exchange without a key, through ccxt's unified methods. Safe from any thread."""

    def depth(self, symbol: str, levels: int) -> Depth:
        """The book now. Raises VenueError; MalformedAnswer for a level that is no price and amount."""
        rules_of(self._markets_now(any_age=True), symbol)
        raw = self._ask(lambda client: client.fetch_order_book(symbol, levels), Asked("the book", symbol))
        sides = mapping(raw, "book", symbol)
        return Depth(_levels(sides.get("bids"), symbol), _levels(sides.get("asks"), symbol))

    def public_trades(self, symbol: str, since: datetime | None) -> list[PublicTrade]:
        """Trades at or after `since`, oldest first; without it the newest. Raises VenueError."""
        rules_of(self._markets_now(any_age=True), symbol)
        asked, found = Asked("public trades", symbol), dict[str, PublicTrade]()
        start_ms = None if since is None else milliseconds(since)
        most = TRADES_MAX[self.capabilities.exchange]
        for _ in range(PAGES_MAX):
            page_from, params = self._page(start_ms)

            def page(client: Any, page_from: int | None = page_from, params: Any = params) -> Any:
                return client.fetch_trades(symbol, page_from, most, params)

            rows = [_trade(row, symbol) for row in listing(self._ask(page, asked), "trades", symbol)]
            fresh = [row for row in rows if row.id not in found and (since is None or row.at_ms >= milliseconds(since))]
            found |= {row.id: row for row in fresh}
            if since is None or len(rows) < most:
                break
            if not fresh:
                LOGGER.warning("%s trades faster than it is read: some trades are missing", symbol)
                break
            start_ms = max(row.at_ms for row in fresh)
        return sorted(found.values(), key=lambda row: row.at_ms)

    def _page(self, start_ms: int | None) -> tuple[int | None, dict[str, int]]:
        """Start and further parameters of a request: some take a start only together with an end."""
        if start_ms is None or self.capabilities.exchange not in _WITH_AN_END:
            return start_ms, {}
        end_ms = milliseconds(self._exchange_now()) + _END_MARGIN_MS
        return max(start_ms, end_ms - _SPAN_MS_MAX), {"until": end_ms}


def public_feed(
    name: str, settings: MarketSettings, *, exchange_url: str | None = None, budgets: Path | None = None
) -> PublicFeed:
    """`budgets` is the folder in which processes share the exchange's limit. Connects at the first call.

    Raises SettingsError for an exchange that nothing is known of.
    """
    options = UnifiedOptions(name, exchange_url, settings.request_timeout_s)
    return PublicFeed(options, settings, budget_path=budget_path(budgets, name, exchange_url, "requests"))


def _levels(raw: object, symbol: str) -> tuple[tuple[Decimal, Decimal], ...]:
    found = []
    for row in listing(raw, "levels", symbol):
        if not isinstance(row, Sequence) or len(row) < 2:
            raise malformed("level", row, symbol)
        price, amount = _positive(row[0], symbol), _positive(row[1], symbol, or_zero=True)
        if amount:
            found.append((price, amount))
    return tuple(found)


def _trade(raw: object, symbol: str) -> PublicTrade:
    fields: Mapping[str, Any] = mapping(raw, "trade", symbol)
    at_ms = whole(fields.get("timestamp"), "timestamp", symbol)
    if not 0 < at_ms <= TIME_MS_MAX:
        raise malformed("timestamp", at_ms, symbol)
    price, amount = _positive(fields.get("price"), symbol), _positive(fields.get("amount"), symbol)
    # Without an id of its own a trade is what it says: two equal ones in a millisecond count once, which fills less.
    name = str(fields.get("id") or f"{at_ms} {price} {amount} {fields.get('side')}")
    return PublicTrade(name, at_ms, price, amount, fields.get("side") == "sell")


def _positive(value: object, symbol: str, *, or_zero: bool = False) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise malformed("number", value, symbol) from None
    if not number.is_finite() or number < 0 or (not number and not or_zero):
        raise malformed("number", value, symbol)
    return number
