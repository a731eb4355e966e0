"""How many requests one client may send: a rolling window of weights, and the exchange's orders to wait.

ccxt has a rolling window for its async classes only; the synchronous clients use this one for reads. Orders have
`order_budget`. Waiting is bounded: what would have to wait longer is refused here with RateLimited, which is certainly
not executed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from trade_pipeline.errors import Banned, BudgetSpent, RateLimited, VenueError

WAIT_S_MAX = 5.0


class Cooldown:
    """Until when the exchange asked us to be quiet. One per account and process: bans are per address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = 0.0
        self._banned = False

    def note(self, error: VenueError) -> None:
        """Remember a 429's or 418's Retry-After; what our own budget refuses asks nobody to wait."""
        if isinstance(error, (RateLimited, Banned)) and not isinstance(error, BudgetSpent):
            until = self._clock() + error.retry_after_s
            if until >= self._until:
                self._until, self._banned = until, isinstance(error, Banned)

    def check(self) -> None:
        """Raise RateLimited or Banned while the exchange's order to wait stands: asking on would prolong it."""
        left_s = self._until - self._clock()
        if left_s <= 0:
            return
        kind = Banned if self._banned else RateLimited
        raise kind("the exchange asked us to wait; nothing was sent", value=f"{left_s:.1f} s", retry_after_s=left_s)


class RollingWindow:
    """At most `limit` of cost within any `window_s`, in this process."""

    def __init__(
        self,
        limit: float,
        window_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.limit = limit
        self.window_s = window_s
        self._clock = clock
        self._sleep = sleep
        self._spent: deque[tuple[float, float]] = deque()
        self._lock = threading.Lock()

    def acquire(self, cost: float = 1.0) -> None:
        """Wait until `cost` fits, at most WAIT_S_MAX. Raises RateLimited when it would take longer."""
        deadline = self._clock() + WAIT_S_MAX
        while True:
            wait_s = self._take(cost)
            if wait_s <= 0:
                return
            if self._clock() + wait_s > deadline:
                raise BudgetSpent(
                    "our own budget is used up; nothing was sent", value=f"{wait_s:.1f} s", retry_after_s=wait_s
                )
            self._sleep(wait_s)

    def _take(self, cost: float) -> float:
        """Spend `cost` now and return 0, or the seconds until it may fit."""
        with self._lock:
            now = self._clock()
            while self._spent and self._spent[0][0] <= now - self.window_s:
                self._spent.popleft()
            if not self._spent or sum(spent for _, spent in self._spent) + cost <= self.limit:
                # A cost above the whole limit still goes out alone, or it never would.
                self._spent.append((now, cost))
                return 0.0
            return max(self._spent[0][0] + self.window_s - now, 0.001)


def per_second(rate: float) -> RollingWindow:
    """A window that lets `rate` requests a second through; below 1 it stretches to one request."""
    return RollingWindow(max(rate, 1.0), max(1.0, 1.0 / rate))
