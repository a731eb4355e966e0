"""Leaves a failing source alone: CLOSED, OPEN for a while, then HALF_OPEN with a few symbols as probes.

Failures are counted per symbol and request, because that is what a source is asked for. Only failures of the source
count: a symbol that it does not list says nothing about it. A symbol that alone fails is asked again and again while a
bar is waited for, so that its requests would soon be most of them: the source is failing if most symbols fail as well.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum

from trade_pipeline.errors import SymbolUnknown, VenueError
from trade_pipeline.settings.sources import SourceSettings


class BreakerPhase(StrEnum):
    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class SourceBreaker:
    """One per source and process; safe from any thread. `clock` is monotonic, in seconds."""

    def __init__(self, settings: SourceSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, Collection[str], Collection[str]]] = deque()
        self._misses: Counter[str] = Counter()
        self._opened_at: float | None = None

    @property
    def phase(self) -> BreakerPhase:
        with self._lock:
            return self._phase()

    def admitted(self, wanted: Sequence[str]) -> list[str]:
        """Which of `wanted` symbols may be asked now: all, none, or as probes the few that failed least of late."""
        with self._lock:
            phase = self._phase()
            if phase is BreakerPhase.OPEN:
                return []
            if phase is BreakerPhase.CLOSED:
                return list(wanted)
            return sorted(wanted, key=lambda symbol: self._misses[symbol])[: self._settings.breaker_probes]

    def record(self, answered: Collection[str], failed: Collection[str]) -> BreakerPhase:
        """Count a batch by its symbols; the phase after it."""
        with self._lock:
            now, phase = self._clock(), self._phase()
            self._count_misses(answered, failed)
            if phase is BreakerPhase.HALF_OPEN and (answered or failed):
                self._seen.clear()
                self._seen.append((now, answered, failed))
                # Probes are judged as requests are at any other time: what is failing would soon be left alone again.
                self._opened_at = now if self._is_failing(1) else None
            elif phase is BreakerPhase.CLOSED:
                self._seen.append((now, answered, failed))
                self._forget_before(now - self._settings.breaker_window_s)
                if self._is_failing(self._settings.breaker_requests_min):
                    self._opened_at = now
            return self._phase()

    def record_answer(self, wanted: Sequence[str], errors: Mapping[str, VenueError]) -> BreakerPhase:
        """Count an answer to `wanted`: a symbol that the source does not list says nothing about it."""
        failed = [symbol for symbol, error in errors.items() if not isinstance(error, SymbolUnknown)]
        return self.record([symbol for symbol in wanted if symbol not in errors], failed)

    def _count_misses(self, answered: Collection[str], failed: Collection[str]) -> None:
        """Failures of each symbol in a row."""
        self._misses.update(failed)
        for symbol in answered:
            self._misses.pop(symbol, None)

    def _phase(self) -> BreakerPhase:
        if self._opened_at is None:
            return BreakerPhase.CLOSED
        waited_s = self._clock() - self._opened_at
        return BreakerPhase.HALF_OPEN if waited_s >= self._settings.breaker_open_s else BreakerPhase.OPEN

    def _forget_before(self, moment: float) -> None:
        while self._seen and self._seen[0][0] < moment:
            self._seen.popleft()

    def _is_failing(self, requests_min: int) -> bool:
        """Whether of what is remembered the limit's share of requests, and of symbols, failed."""
        failed = sum(len(row[2]) for row in self._seen)
        requests = sum(len(row[1]) for row in self._seen) + failed
        failing = {symbol for row in self._seen for symbol in row[2]}
        symbols = failing.union(*(row[1] for row in self._seen))
        ratio = self._settings.breaker_failure_ratio
        return requests >= requests_min and failed >= requests * ratio and len(failing) >= len(symbols) * ratio
