"""The guard's part: measure every few seconds, write what changes, and say which entries must go."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.errors import Banned, VenueError
from trade_pipeline.execution.breaker.evaluate import Measures, evaluate
from trade_pipeline.execution.breaker.measures import (
    HOUR,
    day_start,
    equity_measures,
    machine_measures,
    symbol_measures,
    trade_measures,
)
from trade_pipeline.execution.breaker.state import OPEN, WHOLE_ACCOUNT, forgiven_at
from trade_pipeline.execution.desk import Desk
from trade_pipeline.ledger.records import BreakerState
from trade_pipeline.schemas.trading import BookTop

TURNS_MIN = 10
"""Fewer turns in the window say nothing about the exchange."""


@dataclass
class BreakerWatch:
    """Remembers how the exchange answered lately. Losing it costs a minute of that memory, nothing else."""

    machine: Callable[[], dict[str, Decimal]] = machine_measures
    judged_at: datetime | None = None
    states: list[BreakerState] = field(default_factory=list)
    turns: deque[tuple[datetime, bool]] = field(default_factory=deque)
    flags: dict[str, str] = field(default_factory=dict)

    def note_turn(self, now: datetime, error: Exception | None) -> None:
        """A turn of the guard ended: with the exchange's answer, or without. 418 opens at once."""
        self.turns.append((now, isinstance(error, VenueError)))
        if isinstance(error, Banned):
            self.flags["banned"] = f"the exchange has banned us: {error.message}"

    def judge(self, desk: Desk, tops: Mapping[str, BookTop]) -> list[BreakerState]:
        """Breakers that changed just now, already written. Raises LedgerUnavailable."""
        now, settings = desk.now(), desk.settings.breaker
        if self.judged_at is not None and now - self.judged_at < timedelta(seconds=settings.interval_s):
            return []
        self.judged_at = now
        self.states = desk.ledger.breakers(desk.account)
        changed = evaluate(desk.account, self._measure(desk, tops), settings, self.states, now)
        for state in changed:
            desk.ledger.set_breaker(state)
        if changed:
            self.states = desk.ledger.breakers(desk.account)
        self.flags.clear()
        return changed

    def is_open_for(self, symbol: str) -> bool:
        return any(state.state == OPEN and state.scope in {WHOLE_ACCOUNT, symbol} for state in self.states)

    def _measure(self, desk: Desk, tops: Mapping[str, BookTop]) -> Measures:
        now, settings = desk.now(), desk.settings.breaker
        since = min(day_start(now, settings.trading_day_start_hour), now - HOUR)
        points = desk.ledger.equity(desk.account, since)
        # A reset by hand forgives what came before it: measuring goes on from there.
        forgiven = {state.scope: at for state in self.states if (at := forgiven_at(state)) is not None}
        peak = desk.ledger.peak(desk.account)
        account = equity_measures(points, peak, settings, now, forgiven.get(WHOLE_ACCOUNT))
        trades = desk.ledger.closed_trades(desk.account)
        fresh = [trade for trade in trades if trade.closed_at > forgiven.get(WHOLE_ACCOUNT, trade.opened_at)]
        account |= trade_measures(fresh, settings) | self.machine()
        if (rate := self._error_rate(now, settings.error_window_s)) is not None:
            account["error_rate"] = rate
        of_symbols = [trade for trade in trades if trade.closed_at > forgiven.get(trade.symbol, trade.opened_at)]
        return Measures(account, symbol_measures(of_symbols, tops), dict(self.flags))

    def _error_rate(self, now: datetime, window_s: float) -> Decimal | None:
        while self.turns and now - self.turns[0][0] > timedelta(seconds=window_s):
            self.turns.popleft()
        if len(self.turns) < TURNS_MIN:
            return None
        return Decimal(sum(failed for _, failed in self.turns)) / len(self.turns)
