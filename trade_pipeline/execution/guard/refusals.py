"""What the exchange has refused: it is tried again after a pause that doubles, and nothing else waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trade_pipeline.execution.guard.protect import Action, Do

DOUBLED_MAX = 5
"""Pauses double up to 2 to the power of 5 seconds."""
TOLD_AT = frozenset({1, 10, 100, 1000, 10_000})
"""At so many refusals in a row a person is told: of all of them nobody would read one."""
NAKED_PAUSE = timedelta(seconds=2)
"""A sale is tried again at least this often while no stop can rest in its place (TRADING 14)."""
BARE_PAUSE = timedelta(seconds=5)
"""A stop is tried again at least this often while none rests: a refusal may end at any moment."""


@dataclass
class Refusals:
    """By symbol and what was tried: (refusals in a row, when the last one was). Cancelling never waits."""

    told: dict[tuple[str, Do], tuple[int, datetime]] = field(default_factory=dict)

    def note(self, action: Action, now: datetime) -> int:
        """One more; returns how many there are in a row."""
        count = self.told.get((action.symbol, action.do), (0, now))[0] + 1
        self.told[action.symbol, action.do] = (count, now)
        return count

    def forget(self, action: Action) -> None:
        """It was accepted. A sale ends everything; a stop says nothing of sales."""
        for do in Do if action.do is Do.EXIT else (action.do,):
            self.told.pop((action.symbol, do), None)

    def holds_back(self, action: Action, now: datetime) -> bool:
        longest = None if action.orders else BARE_PAUSE
        return action.do is Do.PLACE and self.waits(action.symbol, Do.PLACE, now, longest)

    def waits(self, symbol: str, do: Do, now: datetime, longest: timedelta | None = None) -> bool:
        """Whether it is too early to try this again."""
        if (symbol, do) not in self.told:
            return False
        count, at = self.told[symbol, do]
        pause = timedelta(seconds=2 ** min(count - 1, DOUBLED_MAX))
        return now < at + (pause if longest is None else min(pause, longest))

    def sales_that_wait(self, naked: Mapping[str, bool], now: datetime) -> frozenset[str]:
        """Symbols whose sale is not to be tried now. `naked`: symbol -> whether no stop could rest meanwhile."""
        return frozenset(
            symbol for symbol, bare in naked.items() if self.waits(symbol, Do.EXIT, now, NAKED_PAUSE if bare else None)
        )
