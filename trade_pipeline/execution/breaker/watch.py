"""The guard's part: measure every few seconds, write what changes, and say which entries must go."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.errors import AuthenticationFailed, Banned, VenueError
from trade_pipeline.execution.breaker.evaluate import OF_BOOKS, Measures, evaluate
from trade_pipeline.execution.breaker.history import Books
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
from trade_pipeline.execution.recovery import open_what_was_forgotten
from trade_pipeline.execution.returns import net_profit
from trade_pipeline.ledger.records import BreakerState, EquityPoint
from trade_pipeline.schemas.trading import BookTop

DAY = timedelta(days=1)
TRADES_SINCE = timedelta(days=30)
"""A streak that is older says nothing of the strategy as it is, and the list stays short."""
LAST_LOOK = timedelta(seconds=20)
"""What was seen before that is no second opinion about a price."""
TURNS_MIN = 10
"""Fewer turns in the window say nothing about the exchange."""
AT_START, LATELY = timedelta(hours=1), timedelta(minutes=2)
"""How far back it looks for orders whose sender died before it had opened the breaker."""


@dataclass
class BreakerWatch:
    """Remembers how the exchange answered and what was quoted lately. Losing it costs that memory, nothing else."""

    machine: Callable[[], dict[str, Decimal]] = machine_measures
    judged_at: datetime | None = None
    states: list[BreakerState] = field(default_factory=list)
    turns: deque[tuple[datetime, bool]] = field(default_factory=deque)
    flags: dict[str, str] = field(default_factory=dict)
    books: dict[str, Books] = field(default_factory=dict)
    curve: list[EquityPoint] = field(default_factory=list)
    """The recorded points of the last day, so that only new ones are read."""
    seen: EquityPoint | None = None
    """What the account was worth at the last look."""
    highest: tuple[datetime, Decimal] | None = None
    """Since when a person has forgiven, and the largest share of its peak that the equity had since."""

    def note_turn(self, now: datetime, error: Exception | None) -> None:
        """A turn of the guard ended: with the exchange's answer, or without. 418 and a refused key open at once."""
        self.turns.append((now, isinstance(error, VenueError)))
        if isinstance(error, Banned):
            self.flags["banned"] = f"the exchange has banned us: {error.message}"
        elif isinstance(error, AuthenticationFailed):
            self.flags["authentication"] = f"the exchange refuses our key: {error.message}"

    def judge(
        self, desk: Desk, tops: Mapping[str, BookTop], worth: Callable[[], EquityPoint] | None = None
    ) -> list[BreakerState]:
        """Breakers that changed just now, already written, and those that somebody else has opened since.

        `tops` are what the guard has read anyway. `worth` says what the account is worth now; without it the recorded
        equity counts. Raises LedgerUnavailable.
        """
        now, settings = desk.now(), desk.settings.breaker
        if self.judged_at is not None and now - self.judged_at < timedelta(seconds=settings.interval_s):
            return []
        open_what_was_forgotten(desk, AT_START if self.judged_at is None else LATELY)
        self.judged_at, open_before = now, {state.scope for state in self.states if state.state == OPEN}
        self.states = desk.ledger.breakers(desk.account)
        opened = [state for state in self.states if state.state == OPEN and state.scope not in open_before]
        changed = evaluate(desk.account, self._measure(desk, tops, worth), settings, self.states, now)
        for state in changed:
            desk.ledger.set_breaker(state)
        if changed:
            self.states = desk.ledger.breakers(desk.account)
        self.flags.clear()
        # Since when a breach is over is remembered beside the state, and is no news.
        news = [state for state in changed if state.changed_at == now]
        return news + [state for state in opened if state.scope not in {other.scope for other in changed}]

    def is_open_for(self, symbol: str) -> bool:
        return any(state.state == OPEN and state.scope in {WHOLE_ACCOUNT, symbol} for state in self.states)

    def symbols_to_watch(self) -> set[str]:
        """Symbols whose breaker returns only if somebody sees how they are quoted, held or not."""
        found = {state.scope for state in self.states if state.state == OPEN and state.dimension in OF_BOOKS}
        return found - {WHOLE_ACCOUNT}

    def _measure(self, desk: Desk, tops: Mapping[str, BookTop], worth: Callable[[], EquityPoint] | None) -> Measures:
        now, settings = desk.now(), desk.settings.breaker
        # A reset by hand forgives what came before it: measuring goes on from there.
        forgiven = {state.scope: at for state in self.states if (at := forgiven_at(state)) is not None}
        since = forgiven.get(WHOLE_ACCOUNT)
        points = self._points(desk, worth)
        account = equity_measures(points, settings, now, since, self._highest_level(desk, points, since))
        trades = desk.ledger.closed_trades(desk.account, day_start(now, settings.trading_day_start_hour) - TRADES_SINCE)
        fresh = [trade for trade in trades if since is None or trade.closed_at > since]
        account |= trade_measures(fresh, settings) | self.machine()
        if (rate := self._error_rate(now, settings.error_window_s, since)) is not None:
            account["error_rate"] = rate
        of_symbols = [trade for trade in trades if trade.closed_at > forgiven.get(trade.symbol, trade.opened_at)]
        return Measures(
            account=account,
            symbols=symbol_measures(of_symbols, tops, self._look(desk, tops)),
            flags=dict(self.flags),
            traded_at={scope: trade.closed_at for trade in trades for scope in (WHOLE_ACCOUNT, trade.symbol)},
        )

    def _points(self, desk: Desk, worth: Callable[[], EquityPoint] | None) -> Sequence[EquityPoint]:
        """The equity curve of the last day, and behind it what the account is worth now."""
        now, settings = desk.now(), desk.settings.breaker
        oldest = min(day_start(now, settings.trading_day_start_hour), now - DAY) - HOUR
        last = self.curve[-1].at if self.curve else oldest
        self.curve += [point for point in desk.ledger.equity(desk.account, last) if point.at > last]
        self.curve = [point for point in self.curve if point.at > oldest]
        if worth is None:
            return self.curve
        before, self.seen = self.seen, worth()
        if before is None or now - before.at > LAST_LOOK:
            before = self.seen
        # A price that stood for one look only opens nothing: a bad day would stay until somebody resets it.
        return [*self.curve, max(before, self.seen, key=net_profit)]

    def _highest_level(self, desk: Desk, points: Sequence[EquityPoint], since: datetime | None) -> Decimal:
        """Drawdown counts from the highest level since it was forgiven; from the peak itself if it never was."""
        if since is None:
            return Decimal(1)
        if self.highest is None or self.highest[0] != since:
            self.highest = (since, desk.ledger.highest_level(desk.account, since) or Decimal(0))
        levels = [point.equity_quote / point.peak_quote for point in points[-1:] if point.peak_quote > 0]
        self.highest = (since, max([self.highest[1], *levels]))
        return self.highest[1]

    def _look(self, desk: Desk, tops: Mapping[str, BookTop]) -> dict[str, dict[str, Decimal]]:
        now, settings = desk.now(), desk.settings.breaker
        for symbol, top in tops.items():
            self.books.setdefault(symbol, Books()).look(top, now, settings)
        # What is not quoted now is not measured now; its history is kept for when it is bought again.
        return {symbol: self.books[symbol].measures(now, settings) for symbol in tops}

    def _error_rate(self, now: datetime, window_s: float, since: datetime | None) -> Decimal | None:
        while self.turns and now - self.turns[0][0] > timedelta(seconds=window_s):
            self.turns.popleft()
        counted = [failed for at, failed in self.turns if since is None or at > since]
        return Decimal(sum(counted)) / len(counted) if len(counted) >= TURNS_MIN else None
