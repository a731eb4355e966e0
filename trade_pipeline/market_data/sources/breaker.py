"""Leaves a failing source alone: CLOSED, OPEN for a while, then HALF_OPEN with a few symbols as probes.

Failures are counted per symbol and request, because that is what a source is asked for. Only failures of the source
count: a symbol that it does not list says nothing about it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from enum import StrEnum

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
        self._seen: deque[tuple[float, int, int]] = deque()
        self._opened_at: float | None = None

    @property
    def phase(self) -> BreakerPhase:
        with self._lock:
            return self._phase()

    def admitted(self, wanted: int) -> int:
        """How many of `wanted` symbols may be asked now: all, a few probes, or none."""
        with self._lock:
            phase = self._phase()
            if phase is BreakerPhase.OPEN:
                return 0
            return wanted if phase is BreakerPhase.CLOSED else min(wanted, self._settings.breaker_probes)

    def record(self, answered: int, failed: int) -> BreakerPhase:
        """Count a batch; the phase after it."""
        with self._lock:
            now, phase = self._clock(), self._phase()
            if phase is BreakerPhase.HALF_OPEN and answered + failed:
                # Every probe must pass: one that fails is a source that would fail a share of the decision.
                self._opened_at = now if failed else None
                self._seen.clear()
            elif phase is BreakerPhase.CLOSED:
                self._seen.append((now, answered, failed))
                if self._is_failing(now):
                    self._opened_at = now
            return self._phase()

    def _phase(self) -> BreakerPhase:
        if self._opened_at is None:
            return BreakerPhase.CLOSED
        waited_s = self._clock() - self._opened_at
        return BreakerPhase.HALF_OPEN if waited_s >= self._settings.breaker_open_s else BreakerPhase.OPEN

    def _is_failing(self, now: float) -> bool:
        while self._seen and self._seen[0][0] < now - self._settings.breaker_window_s:
            self._seen.popleft()
        failed = sum(row[2] for row in self._seen)
        requests = sum(row[1] for row in self._seen) + failed
        enough = requests >= self._settings.breaker_requests_min
        return enough and failed >= requests * self._settings.breaker_failure_ratio
