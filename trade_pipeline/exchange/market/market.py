"""What can be seen of the market at a given moment: steps of the path, and nothing of the future."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from trade_pipeline.exchange.engine.orders import Step
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.market.bars import MINUTE_MS, Bars, BarSource, joined
from trade_pipeline.exchange.market.noise import key_of
from trade_pipeline.exchange.market.path import Paths, paths

_CACHED_MINUTES_MIN = 512
_CACHED_MINUTES_PER_SYMBOL = 3
"""The running minute and the ones before it: what a question for all symbols has made, the next one finds."""
_AVERAGE_BARS = 5
_STALE_SEARCH_MINUTES = 20_000
_RANGE_SPREAD_RATIO = 0.08
"""Share of the recent bars' range that is added to the spread."""


class Market:
    """A BarSource seen through a clock. Every question takes `now_ms`."""

    def __init__(self, source: BarSource, seed: int) -> None:
        self.source = source
        self.specs: dict[str, SymbolSpec] = source.specs
        self.keys = {symbol: key_of(seed, symbol, "path") for symbol in self.specs}
        self._cache: OrderedDict[tuple[str, int], list[Step]] = OrderedDict()
        self._cached_max = max(_CACHED_MINUTES_MIN, _CACHED_MINUTES_PER_SYMBOL * len(self.specs))

    def listed(self, now_ms: int) -> list[str]:
        """Symbols that have had a first trade."""
        return [symbol for symbol in self.specs if self.is_listed(symbol, now_ms)]

    def is_listed(self, symbol: str, now_ms: int) -> bool:
        before = now_ms // MINUTE_MS - 1
        # Every step of a minute that is over has happened; no path needs to be made to know it.
        if self.source.bars(symbol, before, before).present.any():
            return True
        return self.last_step(symbol, now_ms) is not None

    def prepare(self, symbols: Sequence[str], now_ms: int) -> None:
        """Make the running minute of many symbols: their paths at once cost a tenth of one after the other."""
        minute = now_ms // MINUTE_MS
        wanted = [symbol for symbol in symbols if (symbol, minute) not in self._cache]
        traded = {symbol: bars for symbol in wanted if (bars := self._traded(symbol, minute)) is not None}
        if not traded:
            return
        keys = np.array([self.keys[symbol] for symbol in traded], dtype=np.uint64)
        path = paths(keys, joined([bars.between(minute, minute) for bars in traded.values()]))
        for row, (symbol, bars) in enumerate(traded.items()):
            self._remember((symbol, minute), self._steps(symbol, bars, path.row(row)))

    def seen_ms(self, symbol: str, now_ms: int) -> int:
        """A simulated market is never late."""
        return now_ms

    def steps_between(self, symbol: str, after_ms: int, until_ms: int) -> list[Step]:
        """Steps with after_ms < time <= until_ms, in order."""
        first, last = self._clamp(symbol, after_ms // MINUTE_MS, until_ms // MINUTE_MS)
        answer: list[Step] = []
        for minute in range(first, last + 1):
            answer.extend(step for step in self.minute_steps(symbol, minute) if after_ms < step.at_ms <= until_ms)
        return answer

    def last_step(self, symbol: str, now_ms: int) -> Step | None:
        """The newest step at or before now; None before the symbol's first trade."""
        first, last = self._clamp(symbol, now_ms // MINUTE_MS - _STALE_SEARCH_MINUTES, now_ms // MINUTE_MS)
        for minute in range(last, first - 1, -1):
            for step in reversed(self.minute_steps(symbol, minute)):
                if step.at_ms <= now_ms:
                    return step
        return None

    def minute_steps(self, symbol: str, minute: int) -> list[Step]:
        """All steps of one minute, also those to come: for this module and the engine's replay only."""
        key = (symbol, minute)
        found = self._cache.get(key)
        if found is None:
            found = []
            if (bars := self._traded(symbol, minute)) is not None:
                found = self._steps(symbol, bars, paths(self.keys[symbol], bars.between(minute, minute)))
            self._remember(key, found)
        return found

    def _remember(self, key: tuple[str, int], steps: list[Step]) -> None:
        self._cache[key] = steps
        if len(self._cache) > self._cached_max:
            self._cache.popitem(last=False)

    def _traded(self, symbol: str, minute: int) -> Bars | None:
        """The bar of a minute after those that its average is made of; None where nothing is traded in it."""
        bars = self.source.bars(symbol, minute - _AVERAGE_BARS, minute)
        return bars if len(bars) and int(bars.minutes[-1]) == minute and bars.present[-1] else None

    def _steps(self, symbol: str, bars: Bars, path: Paths) -> list[Step]:
        """Of the last bar, whose path this is."""
        spread, average = self._spread_and_average(symbol, bars)
        start = int(bars.minutes[-1]) * MINUTE_MS
        gap = max(1, spread // 2)
        columns = (path.offsets_ms, path.prices, path.volumes, path.buyer_is_maker)
        return [
            Step(start + offset_ms, price, volume, is_maker, spread, gap, average)
            for offset_ms, price, volume, is_maker in zip(*(column[0].tolist() for column in columns), strict=True)
        ]

    def _spread_and_average(self, symbol: str, bars: Bars) -> tuple[int, int]:
        """From the bars before the last one, in ticks: they alone are known when the last one begins."""
        before = bars.between(int(bars.minutes[0]), int(bars.minutes[-1]) - 1)
        known = before.present if len(before) else np.zeros(0, dtype=np.bool_)
        if not known.any():
            price = float(bars.open[-1])
            return max(1, round(price * self.source.spread_bps(symbol) / 1e4)), round(price)
        typical = (before.high + before.low + before.close)[known] / 3
        weight = np.maximum(before.volume[known], 1)
        average = float((typical * weight).sum() / weight.sum())
        swing = float((before.high - before.low)[known].mean())
        spread = max(1, round(average * self.source.spread_bps(symbol) / 1e4 + _RANGE_SPREAD_RATIO * swing))
        return spread, max(1, round(average))

    def _clamp(self, symbol: str, first: int, last: int) -> tuple[int, int]:
        begin, end = self.source.span(symbol)
        return max(first, begin), last if end is None else min(last, end)


def minute_of(at_ms: int) -> int:
    return at_ms // MINUTE_MS
