"""The public reads of an exchange of the table: time, symbols, best prices. Orders and candles stand on them."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import polars as pl

from trade_pipeline.errors import MalformedAnswer, VenueError
from trade_pipeline.schemas.trading import BookTop, MarketRules
from trade_pipeline.venues.answers import mapping, moment, text
from trade_pipeline.venues.capabilities import VenueCapabilities, capabilities_of
from trade_pipeline.venues.day_tickers import UNIFIED_FIELDS, read_day_tickers
from trade_pipeline.venues.error_map import Asked
from trade_pipeline.venues.public_reads import LISTING_AGE_S_MAX, utc_now
from trade_pipeline.venues.unified_answers import read_unified_top
from trade_pipeline.venues.unified_rules import read_unified_listing

LOGGER = logging.getLogger(__name__)

OFFSET_AGE_S_MAX = 300.0
"""How long the difference of two clocks, once measured, is believed."""

T = TypeVar("T")


class UnifiedPublicReads(ABC):
    """server_time, markets and book_tops on top of `_ask`."""

    def __init__(self, exchange: str, now: Callable[[], datetime] = utc_now) -> None:
        """Raises SettingsError for an exchange that is not in the table."""
        self._now = now
        self.capabilities: VenueCapabilities = capabilities_of(exchange)
        self._rules: tuple[float, dict[str, MarketRules]] | None = None
        self._offset: tuple[float, timedelta] | None = None

    @abstractmethod
    def _ask(self, call: Callable[[Any], T], asked: Asked) -> T:
        """What `call` returns for the client that reads. Raises VenueError."""

    @abstractmethod
    def _share_markets(self) -> None:
        """Give the symbols that one client has read to the others."""

    @abstractmethod
    def _knows_markets(self) -> bool:
        """Whether the clients of this process know the symbols; after a fork new ones do not."""

    def server_time(self) -> datetime:
        """The exchange's clock; where it counts seconds, the middle of the present one. Raises VenueError."""
        return self._time_from(self._ask(lambda client: client.fetch_time(), Asked("the exchange's time")))

    def _time_from(self, raw: object) -> datetime:
        step_s = self.capabilities.clock_step_s
        half = timedelta(seconds=step_s / 2) if step_s >= 1 else timedelta(0)
        return moment({"time": raw}, "time") + half

    def markets(self) -> dict[str, MarketRules]:
        """Rules of every readable spot symbol, at most LISTING_AGE_S_MAX old. Raises VenueError at the first call only:
        later, rules that cannot be refreshed stay in force."""
        return dict(self._markets_now())

    def book_tops(self, symbols: Sequence[str]) -> dict[str, BookTop]:
        """Best prices by symbol. A symbol that is not listed, or whose answer is unreadable, is left out.

        Raises VenueError when the exchange does not answer at all.
        """
        rules = self._markets_now(any_age=True)
        wanted = [symbol for symbol in dict.fromkeys(symbols) if symbol in rules]
        tops: dict[str, BookTop] = {}
        for row in self._tickers(wanted):
            try:
                top = read_unified_top(row, self._exchange_now())
            except MalformedAnswer as error:
                LOGGER.warning("a ticker was left out: %s", error)
            else:
                tops[top.symbol] = top
        return tops

    def day_tickers(self, symbols: Sequence[str]) -> pl.DataFrame:
        """DAY_TICKERS of `symbols`, in one request where the exchange's list has best prices. Raises VenueError."""
        rules = self._markets_now()
        wanted = frozenset(symbol for symbol in symbols if symbol in rules)

        def symbol_of(row: object) -> str | None:
            symbol = text(mapping(row, "ticker"), "symbol")
            return symbol if symbol in wanted else None

        return read_day_tickers(self._tickers(sorted(wanted)), symbol_of, UNIFIED_FIELDS)

    def listed_at(self, symbols: Sequence[str]) -> dict[str, datetime]:
        """As the exchange's own list of symbols tells it through ccxt; few do. Asks nobody once the list is known."""
        self._markets_now()

        def created(client: Any) -> dict[str, datetime]:
            times = {symbol: client.markets[symbol].get("created") for symbol in symbols if symbol in client.markets}
            return {name: moment({"created": ms}, "created", name) for name, ms in times.items() if ms is not None}

        return self._ask(created, Asked("the symbols"))

    def _tickers(self, wanted: Sequence[str]) -> list[Any]:
        asked = Asked("the best prices")
        if not wanted:
            return []
        if self.capabilities.tickers_one_by_one:
            return [self._ask(partial(_ticker, symbol=name), asked) for name in wanted]
        answer = self._ask(lambda client: client.fetch_tickers(list(wanted)), asked)
        return list(mapping(answer, "tickers").values())

    def _markets_now(self, *, any_age: bool = False) -> dict[str, MarketRules]:
        """The rules; with `any_age` what is known is good enough, so that an exit does not wait for a refresh."""
        kept = self._rules if self._knows_markets() else None
        if kept is not None and (any_age or time.monotonic() - kept[0] < LISTING_AGE_S_MAX):
            return kept[1]
        try:
            fresh = self._ask(lambda client: self._read_rules(client, again=kept is not None), Asked("the symbols"))
            self._share_markets()
        except VenueError as error:
            if kept is None:
                raise
            LOGGER.warning("the exchange's rules could not be refreshed, the old ones stay: %s", error)
            fresh = kept[1]
        self._rules = (time.monotonic(), fresh)
        return fresh

    def _read_rules(self, client: Any, *, again: bool) -> dict[str, MarketRules]:
        markets, standard_fees = client.load_markets(again), client.fees.get("trading", {})
        return read_unified_listing(markets, client.precisionMode, self.capabilities, standard_fees)

    def _exchange_now(self) -> datetime:
        """The exchange's clock by ours and a measured difference. Raises VenueError where none could be measured."""
        if self._offset is None or time.monotonic() - self._offset[0] > OFFSET_AGE_S_MAX:
            before = self._now()
            theirs = self.server_time()
            middle = before + (self._now() - before) / 2
            self._offset = (time.monotonic(), theirs - middle)
        return self._now() + self._offset[1]

    def _exchange_now_or_ours(self) -> datetime:
        """Without asking anybody: what is about to be sent does not wait for a clock."""
        return self._now() + (timedelta(0) if self._offset is None else self._offset[1])


def _ticker(client: Any, symbol: str) -> Any:
    return client.fetch_ticker(symbol)
