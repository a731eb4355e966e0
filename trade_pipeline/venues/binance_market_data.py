"""Public data of Binance spot through ccxt's async class: batches of reads, one event loop of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl
import stamina

from trade_pipeline.errors import MalformedAnswer, VenueError, VenueUnavailable
from trade_pipeline.schemas.frames import BARS, empty
from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.venues.answers import listing, milliseconds
from trade_pipeline.venues.ccxt_clients import WEIGHT_PER_MINUTE, ClientOptions, LoopedClient, PerProcess
from trade_pipeline.venues.error_map import Asked, own_error
from trade_pipeline.venues.klines import BAR_LENGTH, ROWS_MAX, pages, read_batch, read_klines
from trade_pipeline.venues.protocols import BarsAnswer
from trade_pipeline.venues.public_reads import BACKOFF_INITIAL_S, BACKOFF_S_MAX, PublicReads, backoff
from trade_pipeline.venues.rate_budget import Cooldown
from trade_pipeline.venues.shared_budget import MARKET_SHARE, SharedBudget, reading_history
from trade_pipeline.venues.used_weight import UsedWeight, WeightReading

READ_SHARE = 0.5
"""Of the address's weight limit: the rest is for the account's reads and for orders, in other processes."""
PAGES_MAX = 10_000
SHORT_ROWS_MAX = 60
"""Rows of a symbol that are kept as they came until the whole batch is read; more would only fill the memory."""
WEIGHT_OF_A_READ = 2.0
"""Of a page of candles, or the best prices of up to 20 symbols."""


class BinanceMarketData(PublicReads):
    """Keeps a pool of connections open between calls; made again after a fork. Safe from any thread."""

    def __init__(
        self,
        exchange_url: str | None,
        settings: MarketSettings,
        *,
        source: str | None = None,
        weight_per_minute: float = WEIGHT_PER_MINUTE,
        used_weight_share_max: float = 1.0,
        budget: SharedBudget | None = None,
    ) -> None:
        """`exchange_url` None is the real Binance. `source` is the BARS column of the same name.

        Without a `budget` that all processes share, a fixed part of the limit is this one's.
        """
        super().__init__()
        self._settings = settings
        self._source = source or ("binance" if exchange_url is None else "binance-sim")
        self._total_s = settings.request_timeout_s * 2
        options = ClientOptions(exchange_url, settings.request_timeout_s)
        self._clients = PerProcess(
            lambda: LoopedClient(
                options,
                weight_per_minute=weight_per_minute * READ_SHARE,
                connections_max=settings.fetch_concurrency,
                budget=budget.line(MARKET_SHARE) if budget is not None else None,
            )
        )
        self._cooldown = budget or Cooldown()
        self._weight = UsedWeight(weight_per_minute, used_weight_share_max)

    @property
    def name(self) -> str:
        """What the BARS column `source` says of its rows."""
        return self._source

    def fetch_bars(
        self,
        symbols: Sequence[str],
        since: Mapping[str, datetime] | datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        *,
        patience_s: float | None = None,
    ) -> BarsAnswer:
        """Bars whose open time lies in [since, until), the running candle included where it does.

        `since` may differ by symbol; without it the newest `limit` bars. `limit` is at most 1,000 and means one
        request; without it every page is read. With `until` it is history, and stands back behind all other requests.
        One symbol's failure is in `errors` and blocks no other. Symbols without an answer after `patience_s` are given
        up: VenueUnavailable, the others' rows are there.
        Raises VenueError only when the exchange's symbols are not known yet and cannot be read.
        """
        known = self._markets_now()
        wanted = list(dict.fromkeys(symbols))
        starts = {symbol: since.get(symbol) if isinstance(since, Mapping) else since for symbol in wanted}
        errors: dict[str, VenueError] = {}
        names: dict[str, str] = {}
        for symbol in wanted:
            try:
                names[symbol] = known.id_of(symbol)
            except VenueError as error:
                errors[symbol] = error
        looped = self._clients.get()
        answers = looped.run(self._batch(looped.client, names, starts, until, limit, patience_s))
        short: dict[str, list[Any]] = {}
        frames = [empty(BARS)]
        for symbol, answer in zip(names, answers, strict=True):
            if isinstance(answer, VenueError):
                errors[symbol] = answer
            elif isinstance(answer, list):
                short[symbol] = answer
            else:
                frames.append(answer)
        newest, unreadable = read_batch(short, self._source)
        return BarsAnswer(pl.concat([*frames, newest]), errors | unreadable)

    def used_weight(self) -> WeightReading:
        """What the exchange has counted for this address in its present minute. Asks nobody."""
        return self._weight.reading()

    def close(self) -> None:
        """Close the connections of this process. The next call opens new ones."""
        looped = self._clients.take()
        if looped is not None:
            looped.close()

    async def _batch(
        self,
        client: Any,
        names: Mapping[str, str],
        starts: Mapping[str, datetime | None],
        until: datetime | None,
        limit: int | None,
        patience_s: float | None,
    ) -> list[pl.DataFrame | list[Any] | VenueError]:
        gate = asyncio.Semaphore(self._settings.fetch_concurrency)
        with reading_history(until is not None):
            work = {
                symbol: asyncio.ensure_future(self._bars_of(client, gate, symbol, name, starts[symbol], until, limit))
                for symbol, name in names.items()
            }
        late = (await asyncio.wait(work.values(), timeout=patience_s))[1] if work else set()
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)  # connections are given back before anybody asks again
        why = f"no answer within {patience_s} s"
        return [VenueUnavailable(why, thing=symbol) if task in late else task.result() for symbol, task in work.items()]

    async def _bars_of(
        self,
        client: Any,
        gate: asyncio.Semaphore,
        symbol: str,
        name: str,
        since: datetime | None,
        until: datetime | None,
        limit: int | None,
    ) -> pl.DataFrame | list[Any] | VenueError:
        """The symbol's bars; a few rows as they came, because the whole batch is read at once then."""

        async def rows(params: Mapping[str, int]) -> list[Any]:
            async with gate:
                asked = Asked("reading klines", symbol)
                raw = await self._ask_once_more(
                    client, "public_get_klines", {"symbol": name, "interval": "1m", **params}, asked
                )
            return list(listing(raw, "klines", symbol))

        async def page(params: Mapping[str, int]) -> pl.DataFrame:
            return read_klines(await rows(params), symbol, self._source)

        windows = pages(since, until, limit)
        if not windows:
            return empty(BARS)
        if len(windows) == 1:
            try:
                only = await rows(windows[0])
                if len(only) <= SHORT_ROWS_MAX:
                    return only
                frames = [read_klines(only, symbol, self._source)]
                if since is not None and until is None and limit is None:
                    await self._follow(page, frames, symbol)
            except VenueError as error:
                return error
            return pl.concat(frames)
        # A failure of one page fails the symbol: history with a hole would pass for history.
        results = await asyncio.gather(*(page(window) for window in windows), return_exceptions=True)
        parts: list[pl.DataFrame] = []
        for result in results:
            if isinstance(result, VenueError):
                return result
            if isinstance(result, BaseException):
                raise result
            parts.append(result)
        return pl.concat(parts)

    @staticmethod
    async def _follow(page: Any, frames: list[pl.DataFrame], symbol: str) -> None:
        """Read on after a full page until one is short: the end is not known beforehand."""
        for _ in range(PAGES_MAX):
            last = frames[-1]
            if last.height < ROWS_MAX:
                return
            newest = last["open_time"].max()
            if not isinstance(newest, datetime):
                return
            start = milliseconds(newest + BAR_LENGTH)
            frames.append(await page({"startTime": start, "limit": ROWS_MAX}))
            following = frames[-1]["open_time"].max()
            if isinstance(following, datetime) and following <= newest:
                raise MalformedAnswer("the exchange's pages do not advance", thing=symbol, value=following)

    def _ask(self, method: str, params: Mapping[str, Any], asked: Asked, weight: float) -> Any:
        looped = self._clients.get()
        return looped.run(self._ask_once_more(looped.client, method, params, asked))

    async def _ask_once_more(self, client: Any, method: str, params: Mapping[str, Any], asked: Asked) -> Any:
        """A read, repeated within `read_attempts_max` and the total time. Raises VenueError."""
        async for attempt in stamina.retry_context(
            on=backoff(self._total_s),
            attempts=self._settings.read_attempts_max,
            timeout=self._total_s,
            wait_initial=BACKOFF_INITIAL_S,
            wait_max=BACKOFF_S_MAX,
            wait_jitter=BACKOFF_INITIAL_S,
        ):
            with attempt:
                self._cooldown.check()
                await asyncio.sleep(self._weight.pause_s(WEIGHT_OF_A_READ))
                try:
                    return await getattr(client, method)(dict(params))
                except Exception as error:
                    failure = own_error(error, asked)
                finally:
                    self._weight.note(client.last_response_headers)
                self._cooldown.note(failure)
                raise failure
        raise AssertionError("stamina returns or raises")
