"""The real depth that paper orders walk, less what they took of it themselves.

A snapshot stands until the next one is read, and beyond its age fills nothing. A stop fills where the trade was that
set it off, or worse: depth that is read a moment later may have recovered, and was not there for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from trade_pipeline.exchange.engine.book import Level
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.paper.market import FollowedMarket
from trade_pipeline.schemas.trading import BookTop, Side
from trade_pipeline.venues.public_feed import Depth


@dataclass
class _Snapshot:
    depth: Depth
    read_ms: int
    taken: Counter[Side] = field(default_factory=Counter)
    """Lots that our own orders took from the front of each side."""


class FollowedBook:
    """Depth by symbol; best prices alone where no depth has been read lately. Keeps the engine's `RealBook`."""

    def __init__(self, market: FollowedMarket, clock_ms: Callable[[], int], age_ms_max: int) -> None:
        self._market = market
        self._clock_ms = clock_ms
        self._age_ms_max = age_ms_max
        self._snapshots: dict[str, _Snapshot] = {}

    def set_depth(self, symbol: str, depth: Depth, read_ms: int) -> None:
        self._snapshots[symbol] = _Snapshot(depth, read_ms)

    def depth_age_ms(self, symbol: str) -> int | None:
        snapshot = self._snapshots.get(symbol)
        return None if snapshot is None else self._clock_ms() - snapshot.read_ms

    def levels(self, spec: SymbolSpec, side: Side, not_better_than: int | None = None) -> list[Level]:
        """Levels that an order of `side` may take, best first, whole lots; none where all is too old."""
        oldest_ms, snapshot = self._clock_ms() - self._age_ms_max, self._snapshots.get(spec.symbol)
        if snapshot is not None and snapshot.read_ms >= oldest_ms:
            rows = snapshot.depth.asks if side is Side.BUY else snapshot.depth.bids
            levels = _without_the_front([_level(spec, side, *row) for row in rows], snapshot.taken[side])
        else:
            quote = self._market.quote(spec.symbol)
            fresh = quote is not None and quote.at.timestamp() * 1000 >= oldest_ms
            levels = [_best(spec, side, quote)] if quote is not None and fresh else []
        if not_better_than is not None:
            worse = max if side is Side.BUY else min
            levels = [Level(worse(level.price, not_better_than), level.amount) for level in levels]
        return [level for level in levels if level.amount > 0]

    def took(self, spec: SymbolSpec, side: Side, level: Level) -> None:
        """Our own fill: the same coins are not sold to us twice while the snapshot stands."""
        snapshot = self._snapshots.get(spec.symbol)
        if snapshot is not None:
            snapshot.taken[side] += level.amount


def _without_the_front(levels: list[Level], lots: int) -> list[Level]:
    left: list[Level] = []
    for level in levels:
        gone = min(lots, level.amount)
        lots -= gone
        left.append(Level(level.price, level.amount - gone))
    return left


def _best(spec: SymbolSpec, side: Side, quote: BookTop) -> Level:
    price, amount = (quote.ask, quote.ask_amount) if side is Side.BUY else (quote.bid, quote.bid_amount)
    return _level(spec, side, price, amount)


def _level(spec: SymbolSpec, side: Side, price: Decimal, amount: Decimal) -> Level:
    """A price off our grid counts as the next worse one."""
    rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
    ticks = int(price.scaleb(spec.price_decimals).to_integral_value(rounding))
    return Level(max(ticks, 1), spec.lots(amount))
