"""What can be seen of the market at a given moment: steps of the path, and nothing of the future."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from trade_pipeline.exchange.engine.orders import Step
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.market.bars import MINUTE_MS, Bars, BarSource
from trade_pipeline.exchange.market.noise import key_of
from trade_pipeline.exchange.market.path import STEPS, Paths, paths

_CACHED_MINUTES_MAX = 512
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

    def listed(self, now_ms: int) -> list[str]:
        """Symbols that have had a first trade."""
        return [symbol for symbol in self.specs if self.is_listed(symbol, now_ms)]

    def is_listed(self, symbol: str, now_ms: int) -> bool:
        return self.last_step(symbol, now_ms) is not None

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
            found = self._make_steps(symbol, minute)
            self._cache[key] = found
            if len(self._cache) > _CACHED_MINUTES_MAX:
                self._cache.popitem(last=False)
        return found

    def path_of(self, symbol: str, bars: Bars) -> Paths:
        return paths(self.keys[symbol], bars)

    def _make_steps(self, symbol: str, minute: int) -> list[Step]:
        bars = self.source.bars(symbol, minute - _AVERAGE_BARS, minute)
        if not len(bars) or int(bars.minutes[-1]) != minute or not bars.present[-1]:
            return []
        path = self.path_of(symbol, bars.between(minute, minute))
        spread, average = self._spread_and_average(symbol, bars)
        start = minute * MINUTE_MS
        gap = max(1, spread // 2)
        return [
            Step(
                at_ms=start + int(path.offsets_ms[0, i]),
                price=int(path.prices[0, i]),
                volume=int(path.volumes[0, i]),
                buyer_is_maker=bool(path.buyer_is_maker[0, i]),
                spread=spread,
                gap=gap,
                average=average,
            )
            for i in range(STEPS)
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
