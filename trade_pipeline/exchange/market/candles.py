"""Candles as the exchange publishes them: late, provisional, and the running one only after its first trade.

A closed bar's last step reaches its candle only up to `late_ms` after the close (a seeded moment within), so that
volume, trade count and close may still change; tickers and fills are never late (TRADING rule 19).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trade_pipeline.exchange.market.bars import MINUTE_MS, Bars, joined
from trade_pipeline.exchange.market.market import Market
from trade_pipeline.exchange.market.noise import Ints, key_of, uniforms
from trade_pipeline.exchange.market.path import STEPS, Keys, paths

Flags = npt.NDArray[np.bool_]

INTERVALS = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480,
    "12h": 720, "1d": 1440,
}  # fmt: skip
"""Minutes by the exchange's name of an interval."""

OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE, TRADES, BUY_VOLUME, BUY_QUOTE = range(1, 10)
"""Columns of a candle table; column 0 is the minute at which the candle opens."""


@dataclass(frozen=True, slots=True)
class CandleView:
    market: Market
    late_ms: int

    def candles(
        self, symbol: str, interval: str, now_ms: int, *, start_ms: int | None, end_ms: int | None, limit: int
    ) -> Ints:
        """Shape (candles, 10), oldest first: minute, prices in ticks, volumes in lots, quote in ticks x lots."""
        length = INTERVALS[interval]
        begin, end = self.market.source.span(symbol)
        last = now_ms // MINUTE_MS if end is None else min(end, now_ms // MINUTE_MS)
        if end_ms is not None:
            last = min(last, end_ms // MINUTE_MS // length * length + length - 1)
        if start_ms is None:
            first = last // length * length - (limit - 1) * length
            # One more, because the newest candle may not have begun to trade.
            first -= length
        else:
            # What lies before a symbol's first candle counts for nothing: startTime 0 gives the oldest ones.
            first = max(_ceil(_ceil(start_ms, MINUTE_MS), length), begin // length) * length
            last = min(last, first + limit * length - 1)
        table = aggregate(self.minutes(symbol, max(first, begin), last, now_ms), length)
        return table[:limit] if start_ms is not None else table[-limit:]

    def minutes(self, symbol: str, first: int, last: int, now_ms: int) -> Ints:
        """The published 1m candles of minutes first..last, as they look now."""
        return self.tables([symbol], first, last, now_ms)[0]

    def tables(self, symbols: Sequence[str], first: int, last: int, now_ms: int) -> list[Ints]:
        """The same of several symbols: their paths are computed at once."""
        last = min(last, now_ms // MINUTE_MS)
        parts = [self.market.source.bars(symbol, first, last) for symbol in symbols]
        lengths = [len(bars) for bars in parts]
        table, shown = self._table(symbols, lengths, joined(parts), now_ms)
        ends = np.cumsum(lengths)
        return [table[end - length : end][shown[end - length : end]] for end, length in zip(ends, lengths, strict=True)]

    def _table(self, symbols: Sequence[str], lengths: Sequence[int], bars: Bars, now_ms: int) -> tuple[Ints, Flags]:
        """A row of each bar, and which of them are published."""
        path = paths(_repeated([self.market.keys[symbol] for symbol in symbols], lengths), bars)
        seen = self._seen(symbols, lengths, bars, path.offsets_ms, now_ms)
        volumes = np.where(seen, path.volumes, 0)
        quotes = volumes * path.prices
        taker_buys = np.where(path.buyer_is_maker, 0, volumes)
        highest = np.where(seen, path.prices, 0).max(axis=1)
        lowest = np.where(seen, path.prices, np.iinfo(np.int64).max).min(axis=1)
        newest = np.maximum(seen.sum(axis=1) - 1, 0)
        close = np.take_along_axis(path.prices, newest[:, None], axis=1)[:, 0]
        columns = [
            bars.minutes, path.prices[:, 0], highest, lowest, close, volumes.sum(axis=1), quotes.sum(axis=1),
            np.where(seen, path.trades, 0).sum(axis=1), taker_buys.sum(axis=1), (taker_buys * path.prices).sum(axis=1),
        ]  # fmt: skip
        return np.stack(columns, axis=1), np.asarray(seen.any(axis=1))

    def _seen(self, symbols: Sequence[str], lengths: Sequence[int], bars: Bars, offsets_ms: Ints, now_ms: int) -> Flags:
        """Which steps have reached the published candle."""
        known_ms = bars.minutes[:, None] * MINUTE_MS + offsets_ms
        if self.late_ms:
            keys = _repeated([key_of(symbol, "late") for symbol in symbols], lengths)
            lateness = 0.3 + 0.7 * uniforms(keys, bars.minutes, 1)[0]
            known_ms[:, STEPS - 1] = (bars.minutes + 1) * MINUTE_MS + (lateness * self.late_ms).astype(np.int64)
        seen: Flags = (known_ms <= now_ms) & bars.present[:, None]
        return seen


def _repeated(keys: Sequence[np.uint64], lengths: Sequence[int]) -> Keys:
    """The key of each row; of one symbol the key alone."""
    return keys[0] if len(keys) == 1 else np.repeat(np.array(keys, dtype=np.uint64), lengths)


def _ceil(value: int, unit: int) -> int:
    return -(-value // unit)


def aggregate(table: Ints, length: int) -> Ints:
    """Merge 1m candles into candles of `length` minutes that begin at multiples of it."""
    if length == 1 or not len(table):
        return table
    group = table[:, 0] // length
    starts = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    ends = np.concatenate([starts[1:], [len(table)]]) - 1
    merged = np.add.reduceat(table, starts, axis=0)
    merged[:, 0] = group[starts] * length
    merged[:, OPEN] = table[starts, OPEN]
    merged[:, CLOSE] = table[ends, CLOSE]
    merged[:, HIGH] = np.maximum.reduceat(table[:, HIGH], starts)
    merged[:, LOW] = np.minimum.reduceat(table[:, LOW], starts)
    return merged
