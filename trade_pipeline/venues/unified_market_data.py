"""Public candles, prices and symbols of any exchange of the table, through ccxt's unified methods. Needs no key.

What an exchange does not tell of a bar (how many trades, how much quote) is null, never a guess.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import stamina

from trade_pipeline.errors import VenueError, VenueUnavailable
from trade_pipeline.schemas.frames import BARS, UTC_MS, empty
from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.venues.answers import malformed, milliseconds
from trade_pipeline.venues.ccxt_clients import PerProcess
from trade_pipeline.venues.error_map import Asked
from trade_pipeline.venues.klines import BAR_LENGTH, real_column, time_column
from trade_pipeline.venues.protocols import BarsAnswer
from trade_pipeline.venues.public_reads import BACKOFF_INITIAL_S, BACKOFF_S_MAX, backoff
from trade_pipeline.venues.rate_budget import Cooldown, RollingWindow, per_second
from trade_pipeline.venues.shared_budget import BudgetLine, SharedBudget, reading_history
from trade_pipeline.venues.unified_client import UnifiedLine, UnifiedOptions, unified_client
from trade_pipeline.venues.unified_errors import unified_error
from trade_pipeline.venues.unified_public import UnifiedPublicReads
from trade_pipeline.venues.unified_rules import rules_of

T = TypeVar("T")

ROWS_MAX: Mapping[str, int] = {
    "binance": 1000, "kraken": 720, "bybit": 1000, "okx": 300, "coinbase": 300, "kucoin": 1500, "mexc": 500,
}  # fmt: skip
"""Candles in one answer. Kraken has no older ones than these."""

EXTRAS: Mapping[str, tuple[int | None, int | None]] = {
    "binance": (7, 8),
    "kraken": (None, 7),
    "bybit": (6, None),
    "okx": (7, None),
    "coinbase": (None, None),
    "kucoin": (6, None),
    "mexc": (7, None),
}
"""Where in the exchange's own candle the traded amount of quote and the number of trades stand: ccxt drops both."""
_COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass
class _Pool:
    """Clients of one process, one request at a time each: `requests` sessions cannot be shared."""

    lines: queue.SimpleQueue[UnifiedLine]
    every: list[UnifiedLine]
    threads: ThreadPoolExecutor
    budget: RollingWindow | BudgetLine
    cooldown: Cooldown | SharedBudget


class UnifiedMarketData(UnifiedPublicReads):
    """Keeps connections open between calls; made again after a fork. Safe from any thread."""

    def __init__(
        self,
        options: UnifiedOptions,
        settings: MarketSettings,
        *,
        make_client: Callable[..., Any] = unified_client,
        budget_path: Path | None = None,
    ) -> None:
        """Raises SettingsError for an exchange that is not in the table. Connects at the first call."""
        super().__init__(options.exchange)
        self._settings = settings
        self._options = options
        self._make_client = make_client
        self._budget_path = budget_path
        self._total_s = settings.request_timeout_s * 2
        self._pools = PerProcess(self._pool)

    @property
    def name(self) -> str:
        """What the BARS column `source` says of its rows."""
        return self.capabilities.exchange if self._options.exchange_url is None else f"{self.capabilities.exchange}-sim"

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

        As `MarketDataVenue` promises. `trades` and `quote_volume` are null where the exchange does not tell them.
        Raises VenueError only when the exchange's symbols are not known yet and cannot be read.
        """
        rules, errors, work = self._markets_now(), dict[str, VenueError](), dict[str, Future[pl.DataFrame]]()
        threads = self._pools.get().threads
        for symbol in dict.fromkeys(symbols):
            try:
                rules_of(rules, symbol)
            except VenueError as error:
                errors[symbol] = error
                continue
            start = since.get(symbol) if isinstance(since, Mapping) else since
            with reading_history(until is not None):
                work[symbol] = threads.submit(copy_context().run, self._bars_of, symbol, start, until, limit)
        late = wait(work.values(), timeout=patience_s).not_done
        frames = []
        for symbol, future in work.items():
            if future in late:
                future.cancel()
                errors[symbol] = VenueUnavailable(f"no answer within {patience_s} s", thing=symbol)
                continue
            try:
                frames.append(future.result())
            except VenueError as error:
                errors[symbol] = error
        return BarsAnswer(pl.concat(frames) if frames else empty(BARS), errors)

    def close(self) -> None:
        """Close the connections of this process. The next call opens new ones."""
        pool = self._pools.take()
        if pool is not None:
            pool.threads.shutdown(wait=False, cancel_futures=True)
            for line in pool.every:
                line.client.session.close()

    def _bars_of(self, symbol: str, since: datetime | None, until: datetime | None, limit: int | None) -> pl.DataFrame:
        rows: list[Sequence[Any]] = []
        asked = Asked("reading candles", symbol)
        for start, end, count in self._windows(since, until, limit):
            params = {} if end is None or self.capabilities.exchange == "kraken" else {"until": end - 1}

            def page(client: Any, start: int | None = start, count: int = count, params: Any = params) -> Any:
                return client.fetch_ohlcv(symbol, "1m", start, count, params)

            for row in self._ask(page, asked):
                if not isinstance(row, list) or len(row) < 8:
                    raise malformed("candle", str(row)[:100], symbol)
                if (start is None or row[0] is None or row[0] >= start) and (end is None or (row[0] or 0) < end):
                    rows.append(row)  # of a candle that is told twice both: which is true is not for a reader to say
        ordered = sorted(rows, key=lambda row: row[0] or 0)
        return _frame(ordered[-limit:] if limit and since is None else ordered, symbol, self.name)

    def _windows(
        self, since: datetime | None, until: datetime | None, limit: int | None
    ) -> list[tuple[int | None, int | None, int]]:
        """Start, end (exclusive) in milliseconds and rows of the requests that bring the bars."""
        most = ROWS_MAX[self.capabilities.exchange]
        count = min(limit or most, most)
        if since is None and until is None:
            return [(None, None, count)]
        end = milliseconds(until) if until is not None else milliseconds(self._exchange_now() + BAR_LENGTH)
        if since is None:
            return [(end - count * 60_000, end, count)]
        start = milliseconds(since)
        if limit is not None:
            return [(start, min(end, start + count * 60_000), count)]
        span = most * 60_000
        return [(begin, min(begin + span, end), most) for begin in range(start, end, span)]

    def _pool(self) -> _Pool:
        lines = [self._line() for _ in range(self._settings.fetch_concurrency)]
        waiting: queue.SimpleQueue[UnifiedLine] = queue.SimpleQueue()
        for line in lines:
            waiting.put(line)
        rate = 1000.0 / max(float(lines[0].client.rateLimit), 1.0)
        threads = ThreadPoolExecutor(self._settings.fetch_concurrency, thread_name_prefix="venue-reads")
        if self._budget_path is None:
            return _Pool(waiting, lines, threads, per_second(rate), Cooldown())
        shared = SharedBudget(self._budget_path, max(rate, 1.0), window_s=max(1.0, 1.0 / rate))
        return _Pool(waiting, lines, threads, shared.line(1.0), shared)

    def _line(self) -> UnifiedLine:
        client = self._make_client(self._options, throttled=False)
        read, (quote_at, trades_at) = client.parse_ohlcv, EXTRAS[self.capabilities.exchange]

        def with_extras(row: Any, market: Any = None) -> list[Any]:
            extras = [None if at is None else row[at] for at in (quote_at, trades_at)]
            return [*read(row, market), *extras]

        client.parse_ohlcv = with_extras
        return UnifiedLine(client)

    def _share_markets(self) -> None:
        every = self._pools.get().every
        source = next(line.client for line in every if line.client.markets)
        for line in every:
            line.client.set_markets_from_exchange(source)

    def _knows_markets(self) -> bool:
        return all(line.client.markets for line in self._pools.get().every)

    def _ask(self, call: Callable[[Any], T], asked: Asked) -> T:
        """A read, repeated within `read_attempts_max` and the total time. Raises VenueError."""
        for attempt in stamina.retry_context(
            on=backoff(self._total_s),
            attempts=self._settings.read_attempts_max,
            timeout=self._total_s,
            wait_initial=BACKOFF_INITIAL_S,
            wait_max=BACKOFF_S_MAX,
            wait_jitter=BACKOFF_INITIAL_S,
        ):
            with attempt:
                return self._once(call, asked)
        raise AssertionError("stamina returns or raises")

    def _once(self, call: Callable[[Any], T], asked: Asked) -> T:
        pool = self._pools.get()
        pool.cooldown.check()
        pool.budget.acquire()
        line = pool.lines.get()
        try:
            return line.ask(call)
        except Exception as error:
            failure = unified_error(error, line.heard, asked, self.capabilities)
        finally:
            pool.lines.put(line)
        pool.cooldown.note(failure)
        raise failure


def _frame(rows: Sequence[Sequence[Any]], symbol: str, source: str) -> pl.DataFrame:
    """Rows of [open time, open, high, low, close, volume, quote volume, trades] as a BARS frame."""
    if not rows:
        return empty(BARS)
    columns = list(zip(*(row[:8] for row in rows), strict=True))
    opened = time_column(columns[0], "open_time", symbol).cast(UTC_MS)
    texts = {name: tuple(map(str, columns[1 + at])) for at, name in enumerate(_COLUMNS)}
    known = {name: real_column(values, name, symbol) for name, values in texts.items()}
    return pl.DataFrame(
        {
            "symbol": pl.repeat(symbol, len(rows), dtype=pl.String(), eager=True),
            "open_time": opened,
            "close_time": opened + BAR_LENGTH,
            **known,
            "quote_volume": _optional(columns[6], "quote_volume", symbol),
            "trades": _optional(columns[7], "trades", symbol).cast(pl.Int64()),
            "source": pl.repeat(source, len(rows), dtype=pl.String(), eager=True),
        },
        schema_overrides={name: kind for name, kind in BARS.items() if name in known},
    ).select(list(BARS))


def _optional(values: tuple[Any, ...], name: str, symbol: str) -> pl.Series:
    if all(value is None for value in values):
        return pl.Series(name, [None] * len(values), dtype=pl.Float64())
    return real_column(tuple(map(str, values)), name, symbol)
