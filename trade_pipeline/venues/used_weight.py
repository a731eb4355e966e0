"""How much of Binance's weight a minute the exchange itself has counted for this address, and what reads do about it.

Every process of a stack, and whatever else asks from the same address, is in that count: our own windows see only
what one client sends. Orders and cancels never wait for it; what they use is counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from trade_pipeline.errors import RateLimited

HEADER = "x-mbx-used-weight-1m"
MINUTE_S = 60.0
PAUSE_S_MAX = 1.0
"""For one read: who watches a stop may be slowed down, never stopped."""


@dataclass(frozen=True, slots=True)
class WeightReading:
    """`used` of `limit` in the exchange's present minute; `share_max` is where reads begin to wait."""

    used: int
    limit: int
    share_max: float


class UsedWeight:
    """The last count that the exchange has told, forgotten when its minute is over. Safe from any thread."""

    def __init__(
        self,
        limit: float,
        share_max: float = 0.7,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._limit = limit
        self._share_max = share_max
        self._clock = clock
        self._wall_clock = wall_clock
        self._used = 0
        self._ends = 0.0
        self._lock = threading.Lock()

    def note(self, headers: Mapping[str, str] | None) -> None:
        """Read the count from an answer's headers; an answer without one says nothing."""
        found = {name.lower(): value for name, value in (headers or {}).items()}
        told = found.get(HEADER, "")
        if not told.isascii() or not told.isdigit():
            return
        ends = self._clock() + self._left_s(found.get("date"))
        with self._lock:
            # Answers overtake each other: within a minute the count only grows.
            same_minute = self._clock() < self._ends and abs(ends - self._ends) < MINUTE_S / 2
            self._used = max(int(told), self._used) if same_minute else int(told)
            self._ends = ends

    def reading(self) -> WeightReading:
        return WeightReading(self._used_now(), int(self._limit), self._share_max)

    def pause_s(self, cost: float) -> float:
        """How long a read of this cost should wait. Raises RateLimited when it would go beyond the limit: the
        exchange would answer 429, and that silences orders too."""
        used, left_s = self._used_now(), max(self._ends - self._clock(), 0.0)
        if used + cost <= self._limit * self._share_max:
            return 0.0
        if used + cost > self._limit:
            raise RateLimited(
                "the weight of this minute is used up; nothing was sent",
                value=f"{used} of {self._limit:g}",
                retry_after_s=left_s,
            )
        # What remains is spread over what remains of the minute.
        return min(left_s * cost / (self._limit - used), PAUSE_S_MAX)

    def _used_now(self) -> int:
        with self._lock:
            return self._used if self._clock() < self._ends else 0

    def _left_s(self, date: str | None) -> float:
        """Seconds until the exchange's minute ends, by its own clock where the answer has one."""
        try:
            second = float(parsedate_to_datetime(date).second) if date else self._wall_clock() % MINUTE_S
        except (TypeError, ValueError):
            second = self._wall_clock() % MINUTE_S
        return MINUTE_S - second
