"""Follows the real exchange: reads trades, depth and prices, and hands them to the market between two requests.

Symbols with open orders are read all the time; of others what a request needs, just before it is answered. Reading
happens in threads, putting in on the server's loop, so that no request sees half of it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from trade_pipeline.errors import TradePipelineError
from trade_pipeline.exchange.engine.rejections import overloaded
from trade_pipeline.exchange.paper.book import FollowedBook
from trade_pipeline.exchange.paper.market import FollowedMarket
from trade_pipeline.exchange.world import World, wall_clock_ms
from trade_pipeline.schemas.trading import BookTop, MarketRules
from trade_pipeline.settings.paper import PaperSettings
from trade_pipeline.venues.public_feed import Depth, PublicTrade

T = TypeVar("T")

LOGGER = logging.getLogger(__name__)

CLOCK_EVERY_S = 60.0
PARALLEL = 8
MISSED_MAX = timedelta(days=1)
"""How far back trades are read that happened while nobody followed."""
_PRICED = ("/api/v3/ticker", "/api/v3/avgPrice", "/api/v3/depth")
_ORDERING = ("/api/v3/order", "/api/v3/orderList", "/api/v3/openOrders")


class Followed(Protocol):
    """What is asked of a real exchange; `venues.public_feed.PublicFeed` keeps it."""

    def server_time(self) -> datetime: ...

    def markets(self) -> dict[str, MarketRules]: ...

    def book_tops(self, symbols: Sequence[str]) -> dict[str, BookTop]: ...

    def depth(self, symbol: str, levels: int) -> Depth: ...

    def public_trades(self, symbol: str, since: datetime | None) -> list[PublicTrade]: ...


class ExchangeClock:
    """The real exchange's time by our clock and a measured difference; it never goes back."""

    def __init__(self, ours_ms: Callable[[], int] = wall_clock_ms) -> None:
        self._ours_ms = ours_ms
        self._offset_ms = 0
        self._newest_ms = 0

    def __call__(self) -> int:
        self._newest_ms = max(self._newest_ms, self._ours_ms() + self._offset_ms)
        return self._newest_ms

    def set(self, theirs: datetime, asked_ms: int) -> None:
        """`asked_ms` is our time when we asked; the answer is of the middle between then and now."""
        self._offset_ms = int(theirs.timestamp() * 1000) - (asked_ms + self._ours_ms()) // 2


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of one symbol, and the exchange's time when it was asked for."""

    symbol: str
    asked_ms: int
    depth: Depth
    trades: list[PublicTrade]


class Follower:
    """One real exchange followed by one simulated one."""

    def __init__(
        self, venue: Followed, world: World, market: FollowedMarket, book: FollowedBook, settings: PaperSettings
    ) -> None:
        self._venue = venue
        self._world = world
        self._market = market
        self._book = book
        self._settings = settings
        self._by_id = {spec.id: symbol for symbol, spec in market.specs.items()}
        self._threads = ThreadPoolExecutor(PARALLEL, thread_name_prefix="follow")
        self._reading: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Read what open orders wait for, for ever; a failure is told and tried again. Playing it is the server's."""
        clock_at = 0.0
        loop = asyncio.get_running_loop()
        try:
            while True:
                if loop.time() >= clock_at:
                    await self._told(self._set_clock(), "the exchange's time")
                    clock_at = loop.time() + CLOCK_EVERY_S
                waiting = sorted({order.symbol for order in self._world.engine.state.all_open_orders()})
                await asyncio.gather(*(self._told(self.read(symbol), symbol) for symbol in waiting))
                await asyncio.sleep(self._settings.poll_s)
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def follow(self, method: str, path: str, values: dict[str, str]) -> None:
        """Before a request: the depth that an order is to meet, or prices that somebody asks for.

        Raises Rejected (-1008: nothing was done) where an order would meet an old book. Cancels always go on.
        """
        symbols = self._symbols(values)
        if path.startswith(_ORDERING) and method != "GET":
            try:
                work = asyncio.gather(*(self.read(symbol) for symbol in symbols))
                await asyncio.wait_for(work, self._settings.order_wait_s_max)
            except (TradePipelineError, TimeoutError) as error:
                LOGGER.warning("%s %s: the real book could not be read: %s", method, path, error)
                if method == "POST" and not all(map(self._is_fresh, symbols)):
                    raise overloaded() from error
        elif path.startswith(_PRICED):
            await self._told(self.read_quotes(symbols or list(self._market.specs)), "prices")

    async def read(self, symbol: str) -> None:
        """Trades since the last known one, and the depth. One reading at a time: a second caller waits for a new one.

        Raises VenueError.
        """
        running = self._reading.get(symbol)
        if running is not None:
            await asyncio.wait([running])
        task = asyncio.ensure_future(self._read(symbol))
        self._reading[symbol] = task
        try:
            await asyncio.shield(task)
        finally:
            if self._reading.get(symbol) is task and task.done():
                del self._reading[symbol]

    async def read_quotes(self, symbols: Iterable[str]) -> None:
        """Best prices of those whose last reading is older than the poll. Raises VenueError."""
        now_ms, age_ms = self._world.clock_ms(), self._settings.poll_s * 1000
        old = [symbol for symbol in symbols if now_ms - self._market.seen_ms(symbol, now_ms) >= age_ms]
        if not old:
            return
        tops = await self._in_thread(lambda: self._venue.book_tops(old))
        resting = {order.symbol for order in self._world.engine.state.all_open_orders()}
        for top in tops.values():
            self._market.set_quote(_not_later(top, now_ms), as_step=top.symbol not in resting)

    async def _read(self, symbol: str) -> None:
        since, depth_levels = self._since(symbol), self._settings.depth_levels

        def ask() -> _Read:
            asked_ms = self._world.clock_ms()
            # Trades first: what happened before the depth was read is in it, and may not fill a second time.
            trades = self._venue.public_trades(symbol, since)
            return _Read(symbol, asked_ms, self._venue.depth(symbol, depth_levels), trades)

        found = await self._in_thread(ask)
        self._market.add_trades(symbol, found.trades)
        self._book.set_depth(symbol, found.depth, found.asked_ms)
        if found.depth.bids and found.depth.asks:
            self._market.set_quote(self._top(found), as_step=False)

    def _since(self, symbol: str) -> datetime | None:
        """The newest known moment of the symbol; after a restart that of its orders, so that nothing is missed."""
        known_ms = self._market.newest_ms(symbol)
        state = self._world.engine.state
        if known_ms is None and symbol in state.cursors and state.has_open_orders(symbol):
            known_ms = state.cursors[symbol].step.at_ms
        if known_ms is None:
            return None
        earliest_ms = self._world.clock_ms() - int(MISSED_MAX.total_seconds() * 1000)
        return datetime.fromtimestamp(max(known_ms, earliest_ms) / 1000, UTC)

    def _top(self, found: _Read) -> BookTop:
        """Best prices of the depth, with the last trade that is known."""
        spec = self._market.specs[found.symbol]
        (bid, bid_amount), (ask, ask_amount) = found.depth.bids[0], found.depth.asks[0]
        step = self._market.last_step(found.symbol, found.asked_ms)
        last = spec.price(step.price) if step is not None else bid
        at = datetime.fromtimestamp(found.asked_ms / 1000, UTC)
        return BookTop(found.symbol, bid, bid_amount, ask, ask_amount, last, at)

    def _is_fresh(self, symbol: str) -> bool:
        age_ms = self._book.depth_age_ms(symbol)
        return age_ms is not None and age_ms <= self._settings.data_age_s_max * 1000

    def _symbols(self, values: dict[str, str]) -> list[str]:
        """Our names of the symbols that a request names; what cannot be read is for the answer to refuse."""
        names = [values["symbol"]] if "symbol" in values else []
        if "symbols" in values:
            try:
                names = [str(name) for name in json.loads(values["symbols"])]
            except (ValueError, TypeError):
                return []
        return [self._by_id[name] for name in names if name in self._by_id]

    async def _set_clock(self) -> None:
        clock = self._world.clock_ms
        assert isinstance(clock, ExchangeClock)
        asked_ms = wall_clock_ms()
        clock.set(await self._in_thread(self._venue.server_time), asked_ms)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @staticmethod
    async def _told(work: Awaitable[None], what: str) -> None:
        try:
            await work
        except TradePipelineError as error:
            LOGGER.warning("following %s failed: %s", what, error)
        # What follows the market must not end by one answer that nobody foresaw: stops wait for it.
        except Exception:
            LOGGER.exception("following %s failed in a way that nobody foresaw", what)


def _not_later(top: BookTop, now_ms: int) -> BookTop:
    """An exchange's time of a ticker may run ahead of ours: nothing has happened later than now."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    return top if top.at <= now else replace(top, at=now)
