"""What is usual: volatility and liquidity now against their own history. Pure; nothing here asks an exchange.

volatility        sqrt(sum of squared changes / minutes they took): realised volatility for one minute (Andersen and
                  Bollerslev 1998), so that a gap in the readings counts by its length
volatility_surge  realised volatility of the last minutes over that of the history before them
spread_surge      median spread of the last minutes over the median of the history before them
depth             median worth of the thinner side of the top of the book, over the median of the history before them

A history that is too short says nothing. Ratios and multiples are exact to four places: they are estimates.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from trade_pipeline.execution.returns import net_profit
from trade_pipeline.ledger.records import EquityPoint
from trade_pipeline.schemas.trading import BookTop
from trade_pipeline.settings.breaker import BreakerSettings

CHANGES_MIN = 10
"""A volatility of fewer changes says nothing."""
VOLATILITY_FLOOR = 0.0001
"""One basis point a minute: what moves less is quiet, however much more quiet it was before."""
HELD_SHARE_MIN = Decimal("0.05")
"""Of the equity: what is held below it is too little to say how it moves."""
MINUTE = timedelta(minutes=1)
PLACES = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Change:
    """A relative change that ended at `at` and took `minutes`."""

    at: datetime
    minutes: float
    ratio: float


@dataclass(slots=True)
class Minute:
    """One minute of a symbol's book: last middle, and sums of spread (a share) and depth (quote) over its looks."""

    at: datetime
    middle: float = 0.0
    spreads: float = 0.0
    depths: float = 0.0
    looks: int = 0

    @property
    def spread(self) -> float:
        return self.spreads / self.looks

    @property
    def depth(self) -> float:
        return self.depths / self.looks


@dataclass
class Books:
    """What was quoted of one symbol lately, minute by minute. It lasts as long as the process."""

    minutes: deque[Minute] = field(default_factory=deque)
    told: tuple[datetime, dict[str, Decimal]] | None = None
    """What was measured when the present minute began: medians of minutes move no faster, and the guard has little
    time."""

    def look(self, top: BookTop, now: datetime, settings: BreakerSettings) -> None:
        """Note what is quoted; a side that is missing has no depth and no price."""
        at = now.replace(second=0, microsecond=0)
        while self.minutes and at - self.minutes[0].at > timedelta(minutes=settings.history_minutes_max):
            self.minutes.popleft()
        if top.bid <= 0 or top.ask <= 0:
            return
        if not self.minutes or self.minutes[-1].at != at:
            self.minutes.append(Minute(at))
        minute = self.minutes[-1]
        minute.middle = float(top.bid + top.ask) / 2
        minute.spreads += float(top.ask / top.bid - 1)
        minute.depths += float(min(top.bid * top.bid_amount, top.ask * top.ask_amount))
        minute.looks += 1

    def measures(self, now: datetime, settings: BreakerSettings) -> dict[str, Decimal]:
        """volatility_surge, spread_surge, depth: what the history is long enough for, once a minute."""
        at = now.replace(second=0, microsecond=0)
        if self.told is None or self.told[0] != at:
            self.told = (at, self._measured(now, settings))
        return self.told[1]

    def _measured(self, now: datetime, settings: BreakerSettings) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        if (surge := volatility_surge(self._changes(), now, settings)) is not None:
            found["volatility_surge"] = surge
        begin = now - timedelta(minutes=settings.liquidity_recent_minutes)
        recent = [minute for minute in self.minutes if minute.at > begin]
        usual = [minute for minute in self.minutes if minute.at <= begin]
        if recent and len(usual) >= settings.history_minutes_min:
            spread = statistics.median(minute.spread for minute in usual)
            depth = statistics.median(minute.depth for minute in usual)
            if spread > 0:
                found["spread_surge"] = _rounded(statistics.median(minute.spread for minute in recent) / spread)
            if depth > 0:
                found["depth"] = _rounded(statistics.median(minute.depth for minute in recent) / depth)
        return found

    def _changes(self) -> list[Change]:
        return [
            Change(later.at, (later.at - earlier.at) / MINUTE, later.middle / earlier.middle - 1)
            for earlier, later in pairwise(self.minutes)
        ]


def realised_volatility(changes: Sequence[Change]) -> float | None:
    """For one minute, as a share; None where there are too few changes."""
    if len(changes) < CHANGES_MIN:
        return None
    return math.sqrt(sum(change.ratio**2 for change in changes) / sum(change.minutes for change in changes))


def volatility_surge(changes: Iterable[Change], now: datetime, settings: BreakerSettings) -> Decimal | None:
    """How many times its own history's volatility that of the last minutes is; None without enough of both."""
    begin = now - timedelta(minutes=settings.volatility_recent_minutes)
    oldest = now - timedelta(minutes=settings.history_minutes_max)
    known = [change for change in changes if change.at > oldest]
    recent = realised_volatility([change for change in known if change.at > begin])
    before = [change for change in known if change.at <= begin]
    usual = realised_volatility(before)
    if recent is None or usual is None or len(before) < settings.history_minutes_min:
        return None
    return _rounded(recent / max(usual, VOLATILITY_FLOOR))


def changes_of_holdings(points: Sequence[EquityPoint]) -> Iterator[Change]:
    """What moved in what was held, oldest first: profit over the larger worth of the positions at either end.

    Neither flows nor how much of the equity is invested move it, so that buying is no surge of volatility.
    """
    for earlier, later in pairwise(points):
        held = max(earlier.positions_quote, later.positions_quote)
        if earlier.positions_quote >= HELD_SHARE_MIN * earlier.equity_quote and held > 0 and later.at > earlier.at:
            ratio = (net_profit(later) - net_profit(earlier)) / held
            yield Change(later.at, (later.at - earlier.at) / MINUTE, float(ratio))


def _rounded(value: float) -> Decimal:
    return Decimal(str(value)).quantize(PLACES)
