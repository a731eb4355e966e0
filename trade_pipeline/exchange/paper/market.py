"""A real market as far as it has been read: trades as steps, best prices, and candles made of both.

No I/O and no clock: the feed puts in what it has read, with the real exchange's times. What has not been read does
not exist, so nothing can look ahead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby

import numpy as np

from trade_pipeline.exchange.engine.orders import Step
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.market.bars import MINUTE_MS
from trade_pipeline.exchange.market.candles import INTERVALS, aggregate
from trade_pipeline.exchange.market.noise import Ints
from trade_pipeline.schemas.trading import BookTop
from trade_pipeline.venues.public_feed import PublicTrade

STEPS_MAX = 20_000
CANDLES_MAX = 1500
AVERAGE_MS = 5 * MINUTE_MS
SEEN_MAX = 4000
LATE_MS_MAX = 1000
"""How much older than the newest known trade one may be that is read only now."""


@dataclass
class _Track:
    """One symbol. `row` of a candle: minute, prices in ticks, volumes in lots, quote in ticks x lots."""

    spec: SymbolSpec
    steps: deque[Step]
    seen: dict[str, None]
    """Ids of the newest trades, oldest first."""
    candles: dict[int, list[int]]
    quote: BookTop | None = None


class FollowedMarket:
    """Symbols of a real exchange. One thread puts in and asks."""

    def __init__(self, specs: Iterable[SymbolSpec]) -> None:
        self.specs: dict[str, SymbolSpec] = {spec.symbol: spec for spec in specs}
        self._tracks = {symbol: _Track(spec, deque(maxlen=STEPS_MAX), {}, {}) for symbol, spec in self.specs.items()}

    def add_trades(self, symbol: str, trades: Iterable[PublicTrade]) -> int:
        """Add what is new of these, which are in order of time; how many were. One far older than known is dropped."""
        track = self._tracks[symbol]
        floor_ms = (track.steps[-1].at_ms if track.steps else 0) - LATE_MS_MAX
        fresh = [trade for trade in trades if trade.id not in track.seen and trade.at_ms >= floor_ms]
        for _, group in groupby(fresh, key=lambda trade: (trade.at_ms, trade.buyer_is_maker)):
            self._add_group(track, list(group))
        return len(fresh)

    def set_quote(self, top: BookTop, *, as_step: bool) -> None:
        """Best prices as they were read. `as_step`: no order rests, so the last price moves the symbol by itself."""
        track = self._tracks[top.symbol]
        track.quote = top
        at_ms = int(top.at.timestamp() * 1000)
        last_ms = track.steps[-1].at_ms if track.steps else -1
        if (as_step or not track.steps) and at_ms > last_ms:
            price, sold = _ticks(track.spec, top.last), top.last <= top.bid
            _into_candle(track, at_ms, price, 0, sold)
            self._step(track, at_ms, price, 0, sold)

    def quote(self, symbol: str) -> BookTop | None:
        return self._tracks[symbol].quote

    def newest_ms(self, symbol: str) -> int | None:
        """Time of the newest step; trades are read from there."""
        steps = self._tracks[symbol].steps
        return steps[-1].at_ms if steps else None

    def listed(self, now_ms: int) -> list[str]:
        return list(self.specs)

    def is_listed(self, symbol: str, now_ms: int) -> bool:
        return symbol in self.specs

    def seen_ms(self, symbol: str, now_ms: int) -> int:
        """When best prices were last read: a market that is not heard of must not look alive."""
        quote = self._tracks[symbol].quote
        read_ms = int(quote.at.timestamp() * 1000) if quote is not None else 0
        return min(now_ms, max(read_ms, self.newest_ms(symbol) or 0))

    def steps_between(self, symbol: str, after_ms: int, until_ms: int) -> list[Step]:
        return [step for step in self._tracks[symbol].steps if after_ms < step.at_ms <= until_ms]

    def last_step(self, symbol: str, now_ms: int) -> Step | None:
        return next((step for step in reversed(self._tracks[symbol].steps) if step.at_ms <= now_ms), None)

    def prepare(self, symbols: Sequence[str], now_ms: int) -> None:
        """What was read is there."""

    def minute_steps(self, symbol: str, minute: int) -> list[Step]:
        return [step for step in self._tracks[symbol].steps if step.at_ms // MINUTE_MS == minute]

    def candles(
        self, symbol: str, interval: str, now_ms: int, *, start_ms: int | None, end_ms: int | None, limit: int
    ) -> Ints:
        """Candles since the exchange began to follow; whoever wants more asks the real one."""
        first = 0 if start_ms is None else -(-start_ms // MINUTE_MS)
        last = now_ms // MINUTE_MS if end_ms is None else end_ms // MINUTE_MS
        table = aggregate(self.minutes(symbol, first, last, now_ms), INTERVALS[interval])
        return table[:limit] if start_ms is not None else table[-limit:]

    def minutes(self, symbol: str, first: int, last: int, now_ms: int) -> Ints:
        rows = [row for minute, row in self._tracks[symbol].candles.items() if first <= minute <= last]
        return np.array(rows, dtype=np.int64).reshape(len(rows), 10)

    def _add_group(self, track: _Track, trades: list[PublicTrade]) -> None:
        """One order that swept the book is one step: at its worst price, with what it traded there and no more.

        The engine plays a moment once, so the step's time may move by a millisecond; never by as many as trades.
        """
        spec, sold = track.spec, trades[0].buyer_is_maker
        worst = (min if sold else max)(trade.price for trade in trades)
        track.seen |= dict.fromkeys(trade.id for trade in trades)
        while len(track.seen) > SEEN_MAX:
            del track.seen[next(iter(track.seen))]
        after_ms = track.steps[-1].at_ms + 1 if track.steps else 0
        at_ms, volume = max(trades[0].at_ms, after_ms), Decimal(0)
        for trade in trades:
            _into_candle(track, at_ms, _ticks(spec, trade.price), spec.lots(trade.amount), sold)
            volume += trade.amount if trade.price == worst else 0
        self._step(track, at_ms, _ticks(spec, worst), spec.lots(volume), sold)

    def _step(self, track: _Track, at_ms: int, price: int, volume: int, buyer_is_maker: bool) -> None:
        spread = _spread(track.spec, track.quote)
        average = self._average(track, at_ms, price)
        track.steps.append(Step(at_ms, price, volume, buyer_is_maker, spread, max(1, spread // 2), average))

    @staticmethod
    def _average(track: _Track, at_ms: int, otherwise: int) -> int:
        """Volume-weighted price of the last minutes in ticks, the last price where nothing was traded."""
        rows = [row for minute, row in list(track.candles.items())[-6:] if minute * MINUTE_MS > at_ms - AVERAGE_MS]
        volume = sum(row[5] for row in rows)
        return sum(row[6] for row in rows) // volume if volume else otherwise


def _ticks(spec: SymbolSpec, price: Decimal) -> int:
    return max(1, int(price.scaleb(spec.price_decimals).to_integral_value(ROUND_HALF_EVEN)))


def _into_candle(track: _Track, at_ms: int, price: int, volume: int, buyer_is_maker: bool) -> None:
    minute, bought = at_ms // MINUTE_MS, 0 if buyer_is_maker else volume
    row = track.candles.get(minute)
    if row is None:
        row = track.candles[minute] = [minute, *[price] * 4, 0, 0, 0, 0, 0]
        while len(track.candles) > CANDLES_MAX:
            del track.candles[next(iter(track.candles))]
    row[2], row[3], row[4] = max(row[2], price), min(row[3], price), price
    counted = 1 if volume else 0
    for column, value in ((5, volume), (6, price * volume), (7, counted), (8, bought), (9, bought * price)):
        row[column] += value


def _spread(spec: SymbolSpec, quote: BookTop | None) -> int:
    """Distance of best bid and ask in units of the price's last decimal, one tick at least."""
    if quote is None:
        return spec.tick_units
    return max(spec.tick_units, int((quote.ask - quote.bid).scaleb(spec.price_decimals)))
