"""Reads every order or trade of a span through ccxt, however the exchange pages.

A page that is full proves nothing about what it left out, so the spans on both sides of it are asked for until none
is full. Whether an exchange answers the newest or the oldest first does not matter then. Nothing is cut off silently:
what does not end is a MalformedAnswer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trade_pipeline.venues.answers import malformed

REQUESTS_MAX = 200
"""In one reading of a span."""
DAY_MS = 86_400_000
SLACK_MS = 1
"""Ends of a span may be exclusive, and times are cut to milliseconds: spans overlap by this much."""

Row = Mapping[str, Any]
Page = Callable[[int, int], list[Row]]


@dataclass(frozen=True, slots=True)
class Paging:
    """How one exchange pages."""

    orders_max: int
    trades_max: int
    """Rows in one answer."""
    open_max: int | None = None
    """Open orders in one answer; None: all of them."""
    window_days: int | None = None
    """The longest span of one request."""
    by_offset: bool = False
    """Kraken: by a number of rows to skip, in spans of whole seconds and over all symbols."""
    trade_params: Mapping[str, Any] | None = None
    sends_limit: bool = True


PAGING: Mapping[str, Paging] = {
    "binance": Paging(1000, 1000),
    "kraken": Paging(50, 50, by_offset=True),
    "bybit": Paging(50, 100, open_max=50, window_days=7),
    "okx": Paging(100, 100, open_max=100, sends_limit=False),
    "coinbase": Paging(100, 100, open_max=100),
    "kucoin": Paging(500, 500, open_max=500, window_days=7, trade_params={"pageSize": 500}),
    "mexc": Paging(1000, 100, window_days=7),
}


def orders_of_span(client: Any, exchange: str, method: str, symbol: str, since_ms: int, until_ms: int) -> list[Row]:
    """What a method that lists finished orders knows of [since, until]. Raises MalformedAnswer and as ccxt does."""
    return _span(client, exchange, getattr(client, method), symbol, since_ms, until_ms, PAGING[exchange].orders_max, {})


def trades_of_span(client: Any, exchange: str, symbol: str, since_ms: int, until_ms: int) -> list[Row]:
    """Our trades of a symbol in [since, until]. Raises as `orders_of_span`."""
    paging = PAGING[exchange]
    more = dict(paging.trade_params or {})
    return _span(client, exchange, client.fetch_my_trades, symbol, since_ms, until_ms, paging.trades_max, more)


def open_orders(client: Any, exchange: str, symbol: str | None) -> list[Row]:
    """Raises MalformedAnswer for a full page: an order that is left out would look as if it were gone."""
    limit = PAGING[exchange].open_max
    rows = list(client.fetch_open_orders(symbol, None, limit, {}))
    if limit is not None and len(rows) >= limit:
        raise malformed("list of open orders: it fills a page, and more may be behind it", len(rows), symbol or "")
    return rows


def _span(
    client: Any,
    exchange: str,
    method: Callable[..., Any],
    symbol: str,
    since_ms: int,
    until_ms: int,
    rows_max: int,
    params: Mapping[str, Any],
) -> list[Row]:
    paging, found = PAGING[exchange], dict[str, Row]()
    if paging.by_offset:
        _by_offset(method, symbol, since_ms, rows_max, found)
    else:
        limit = rows_max if paging.sends_limit else None

        def page(start: int, end: int) -> list[Row]:
            return list(method(symbol, start, limit, {**params, "until": end}))

        counted = _Count(symbol)
        for start, end in _windows(since_ms, until_ms, paging.window_days):
            _collect(page, start, end, rows_max, found, counted)
    return sorted(found.values(), key=lambda row: int(row.get("timestamp") or 0))


def _windows(since_ms: int, until_ms: int, days: int | None) -> Iterator[tuple[int, int]]:
    length = until_ms - since_ms + 1 if days is None else days * DAY_MS
    start = since_ms
    while start <= until_ms:
        yield start, min(start + length, until_ms)
        start += length


class _Count:
    """Requests of one reading."""

    def __init__(self, symbol: str) -> None:
        self.made = 0
        self.symbol = symbol

    def one_more(self) -> None:
        self.made += 1
        if self.made > REQUESTS_MAX:
            raise malformed("end of the list", self.made, self.symbol)


def _collect(page: Page, start: int, end: int, rows_max: int, found: dict[str, Row], counted: _Count) -> None:
    counted.one_more()
    rows = page(start, end)
    new = [row for row in rows if str(row.get("id")) not in found]
    found.update({str(row.get("id")): row for row in new})
    if len(rows) < rows_max:
        return
    if not new:
        raise malformed("order of pages: a full one holds nothing new", len(rows), counted.symbol)
    times = [_time_ms(row, counted.symbol) for row in rows]
    oldest, newest = min(times) + SLACK_MS, max(times) - SLACK_MS
    if oldest < end:
        _collect(page, start, oldest, rows_max, found, counted)
    if newest > start:
        _collect(page, newest, end, rows_max, found, counted)


def _by_offset(method: Callable[..., Any], symbol: str, since_ms: int, rows_max: int, found: dict[str, Row]) -> None:
    counted, offset = _Count(symbol), 0
    while True:
        counted.one_more()
        # Neither symbol nor since: ccxt would drop rows by them, and a page would not look full.
        rows = list(method(None, None, None, {"start": since_ms // 1000, "ofs": offset}))
        found.update({str(row.get("id")): row for row in rows if row.get("symbol") == symbol})
        if len(rows) < rows_max:
            return
        offset += len(rows)


def _time_ms(row: Row, symbol: str) -> int:
    at = row.get("timestamp")
    if not isinstance(at, int):
        raise malformed("time", at, symbol)
    return at
