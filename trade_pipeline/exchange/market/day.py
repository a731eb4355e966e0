"""The last 24 hours of many symbols at once, as tickers tell them.

A minute that is over and published does not change any more: what its bar does not say (the quote and the trades of
its path) is computed once and kept. The rest of the day, a minute or two, is read as the candles are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trade_pipeline.exchange.market.bars import MINUTE_MS, Bars, joined
from trade_pipeline.exchange.market.candles import HIGH, LOW, OPEN, QUOTE, TRADES, VOLUME, CandleView
from trade_pipeline.exchange.market.market import Market
from trade_pipeline.exchange.market.noise import Ints
from trade_pipeline.exchange.market.path import totals
from trade_pipeline.exchange.market.view import Candles

DAY_MINUTES = 1440
_ROWS_AT_ONCE = 2048
"""Bars whose paths are computed together: more do not fit into the processor's cache."""


@dataclass(frozen=True, slots=True)
class Day:
    """Prices in ticks, volume in lots, quote in ticks x lots; minutes are those of the first and the newest candle."""

    first_minute: int
    last_minute: int
    open: int
    high: int
    low: int
    volume: int
    quote: int
    trades: int

    @classmethod
    def of_table(cls, table: Ints) -> Day | None:
        """Of 1m candles, oldest first; None of none."""
        if not len(table):
            return None
        volume, quote, trades = (int(table[:, column].sum()) for column in (VOLUME, QUOTE, TRADES))
        high, low = int(table[:, HIGH].max()), int(table[:, LOW].min())
        return cls(int(table[0, 0]), int(table[-1, 0]), int(table[0, OPEN]), high, low, volume, quote, trades)

    def followed_by(self, later: Day | None) -> Day:
        if later is None:
            return self
        return Day(
            self.first_minute, later.last_minute, self.open, max(self.high, later.high), min(self.low, later.low),
            self.volume + later.volume, self.quote + later.quote, self.trades + later.trades,
        )  # fmt: skip


@dataclass(slots=True)
class _Kept:
    """Quote and trades of consecutive minutes of one symbol."""

    first: int
    quote: Ints
    trades: Ints

    @property
    def end(self) -> int:
        return self.first + len(self.quote)


class LastDays(Protocol):
    """What tickers tell of the last 24 hours."""

    def of(self, symbols: Sequence[str], now_ms: int) -> list[Day | None]:
        """From the published candles of this minute and the 1,440 before it; None where there are none."""
        ...


@dataclass(frozen=True, slots=True)
class DaysOfCandles:
    """Of whatever market: the candles of the whole day are read for each answer."""

    candles: Candles

    def of(self, symbols: Sequence[str], now_ms: int) -> list[Day | None]:
        minute = now_ms // MINUTE_MS
        first = minute - DAY_MINUTES
        return [Day.of_table(self.candles.minutes(symbol, first, minute, now_ms)) for symbol in symbols]


class DaysOfBars:
    """The same of a market of bars. Keeps two numbers of each minute of the last day, of every symbol asked for."""

    def __init__(self, market: Market, candles: CandleView) -> None:
        self._market = market
        self._candles = candles
        self._kept: dict[str, _Kept] = {}

    def of(self, symbols: Sequence[str], now_ms: int) -> list[Day | None]:
        if not symbols:
            return []
        minute = now_ms // MINUTE_MS
        # By then every step of these minutes has reached its candle.
        settled = (now_ms - self._candles.late_ms) // MINUTE_MS - 1
        over = [self._market.source.bars(symbol, minute - DAY_MINUTES, settled) for symbol in symbols]
        self._keep(symbols, over)
        tails = self._candles.tables(symbols, max(settled + 1, minute - DAY_MINUTES), minute, now_ms)
        return [
            _joined(self._settled(symbol, bars), Day.of_table(table))
            for symbol, bars, table in zip(symbols, over, tails, strict=True)
        ]

    def _keep(self, symbols: Sequence[str], over: Sequence[Bars]) -> None:
        """Forget what is older than these bars, and add those that are not known."""
        unknown: list[tuple[str, Bars]] = []
        for symbol, bars in zip(symbols, over, strict=True):
            if not len(bars):
                continue
            first, last = int(bars.minutes[0]), int(bars.minutes[-1])
            kept = self._kept.get(symbol)
            if kept is None or not kept.first <= first < kept.end:
                none = np.zeros(0, dtype=np.int64)
                kept = self._kept[symbol] = _Kept(first, none, none)
            elif first > kept.first:
                kept.quote, kept.trades = kept.quote[first - kept.first :], kept.trades[first - kept.first :]
                kept.first = first
            if kept.end <= last:
                unknown.append((symbol, bars.between(kept.end, last)))
        for block in _blocks(unknown):
            self._add(block)

    def _add(self, block: Sequence[tuple[str, Bars]]) -> None:
        keys = np.repeat([self._market.keys[symbol] for symbol, _ in block], [len(bars) for _, bars in block])
        quote, trades = totals(keys, joined([bars for _, bars in block]))
        at = 0
        for symbol, bars in block:
            kept, cut = self._kept[symbol], slice(at, at + len(bars))
            kept.quote = np.concatenate([kept.quote, quote[cut]])
            kept.trades = np.concatenate([kept.trades, trades[cut]])
            at += len(bars)

    def _settled(self, symbol: str, bars: Bars) -> Day | None:
        if not bars.present.any():
            return None
        present = np.flatnonzero(bars.present)
        first, last = int(present[0]), int(present[-1])
        kept, start = self._kept[symbol], int(bars.minutes[0])
        # The path of a bar touches its high and low and trades its volume, so that only these two are not the bar's.
        cut = slice(start - kept.first, start - kept.first + len(bars))
        return Day(
            start + first, start + last, int(bars.open[first]), int(bars.high[present].max()),
            int(bars.low[present].min()), int(bars.volume.sum()), int(kept.quote[cut].sum()),
            int(kept.trades[cut].sum()),
        )  # fmt: skip


def _joined(settled: Day | None, tail: Day | None) -> Day | None:
    return tail if settled is None else settled.followed_by(tail)


def _blocks(parts: Iterable[tuple[str, Bars]]) -> Iterator[list[tuple[str, Bars]]]:
    block: list[tuple[str, Bars]] = []
    rows = 0
    for part in parts:
        if block and rows + len(part[1]) > _ROWS_AT_ONCE:
            yield block
            block, rows = [], 0
        block.append(part)
        rows += len(part[1])
    if block:
        yield block
