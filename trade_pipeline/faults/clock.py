"""Virtual time: it moves when somebody waits, and never by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """`whenever_waited` is told after every wait of a process: others run meanwhile."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._now = start
        self.whenever_waited: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return self._now

    def now_ms(self) -> int:
        return (self._now - EPOCH) // timedelta(milliseconds=1)

    def monotonic(self) -> float:
        return round((self._now - self._start).total_seconds(), 3)

    def sleep(self, seconds: float) -> None:
        """A process waits: time passes, and whatever is due happens."""
        self.pass_by(seconds)
        self.whenever_waited()

    def pass_by(self, seconds: float) -> None:
        """Time passes within one request or transaction: nothing else gets its turn."""
        # Whole milliseconds: the exchange knows no finer times.
        self._now += timedelta(milliseconds=max(1, round(seconds * 1000)))

    def reach(self, seconds: float) -> None:
        """Go to the second `seconds` of the simulation, if it is not past."""
        moment = self._start + timedelta(milliseconds=round(seconds * 1000))
        self._now = max(self._now, moment)
