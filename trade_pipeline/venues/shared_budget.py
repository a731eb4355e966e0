"""One budget of request weight for every process that asks an exchange from this machine.

A rolling window in a small file (`locked_page`). What one process does not use is there for the others; each kind of
request has a ceiling, so that reads of history leave room for an account's reads, and those for orders. An order to
wait that one process hears (429, 418) is kept by all.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from trade_pipeline.errors import Banned, BudgetSpent, RateLimited, VenueError
from trade_pipeline.venues.locked_page import LockedPage
from trade_pipeline.venues.rate_budget import WAIT_S_MAX

MARKET_SHARE, ACCOUNT_SHARE, ORDER_SHARE = 0.7, 0.9, 1.0
"""Of the limit, all spending together: where reads of market data, reads of the account, and orders have to wait."""

HISTORY_PART = 0.7
"""Of a line's share: where reads of past spans wait, so that a backfill leaves room for what has just closed."""
HISTORY_WAIT_S_MAX = 180.0
"""Longer than a window: nobody waits for history, and to refuse it would leave holes."""

WINDOW_S = 60.0
REQUESTS_MIN, ACCOUNT_WINDOW_S_MAX = 10.0, 4.0
QUIET_S_MAX = 7 * 86_400.0
"""Binance's longest ban is three days: what the file says beyond is an accident."""
_SLOTS = 64
_PARTS = 60
"""The window is counted in this many parts, so an entry counts for up to one part longer than the window."""
_HEAD = struct.Struct("<8sdq")
_SLOT = struct.Struct("<qd")
_MAGIC = b"tpbudg1\0"
_EMPTY = _HEAD.pack(_MAGIC, 0.0, 0) + bytes(_SLOTS * _SLOT.size)


_of_history: ContextVar[bool] = ContextVar("of_history", default=False)


@contextmanager
def reading_history(is_history: bool = True) -> Iterator[None]:
    """What is asked for within, and by tasks and contexts begun within, stands back behind all other requests."""
    before = _of_history.set(is_history)
    try:
        yield
    finally:
        _of_history.reset(before)


class SharedBudget:
    """The file of one exchange's address. Safe from any thread, and after a fork.

    `clock` is wall time: the file outlives a restart of the machine.
    """

    def __init__(
        self,
        path: Path,
        limit: float,
        *,
        window_s: float = WINDOW_S,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit = limit
        self._part_s = window_s / _PARTS
        self._clock = clock
        self._sleep = sleep
        self._page = LockedPage(path, _EMPTY, _MAGIC)

    def line(self, share: float) -> BudgetLine:
        """The budget as one kind of request sees it: it waits from `share` of the limit on."""
        return BudgetLine(self, share)

    def take(self, cost: float, share: float) -> float:
        """Spend `cost` now and return 0, or the seconds until it may fit."""
        with self._page.locked() as page:
            now = self._clock()
            part = int(now / self._part_s)
            spent = [(kept, paid) for kept, paid in _slots(page) if part - _PARTS <= kept <= part and paid > 0]
            total = sum(paid for _, paid in spent)
            if spent and total + cost > self._limit * share:
                oldest = min(kept for kept, _ in spent)
                return max((oldest + _PARTS + 1) * self._part_s - now, 0.001)
            # A cost above the whole limit still goes out alone, or it never would.
            paid = next((paid for kept, paid in spent if kept == part), 0.0)
            _SLOT.pack_into(page, _HEAD.size + part % _SLOTS * _SLOT.size, part, paid + cost)
            return 0.0

    def spend(self, cost: float) -> None:
        """Count what is sent whatever is left: an exit does not wait for other requests."""
        self.take(cost, float("inf"))

    def used(self) -> float:
        """What all processes have spent within the window."""
        with self._page.locked() as page:
            part = int(self._clock() / self._part_s)
            return sum(paid for kept, paid in _slots(page) if part - _PARTS <= kept <= part)

    def note(self, error: VenueError) -> None:
        """Remember a 429's or 418's order to wait, for every process. Our own budget's is none of the exchange's."""
        if not isinstance(error, (RateLimited, Banned)) or isinstance(error, BudgetSpent):
            return
        until, banned = self._clock() + error.retry_after_s, int(isinstance(error, Banned))
        with self._page.locked() as page:
            if until >= _HEAD.unpack_from(page)[1]:
                _HEAD.pack_into(page, 0, _MAGIC, until, banned)

    def check(self) -> None:
        """Raise RateLimited or Banned while the exchange's order to wait stands: asking on would prolong it."""
        with self._page.locked() as page:
            _, until, banned = _HEAD.unpack_from(page)
        left_s = until - self._clock()
        if 0 < left_s <= QUIET_S_MAX:
            kind = Banned if banned else RateLimited
            raise kind("the exchange asked us to wait; nothing was sent", value=f"{left_s:.1f} s", retry_after_s=left_s)

    def wait(self, seconds: float) -> None:
        self._sleep(seconds)


def requests_of_account(path: Path, pause_ms: float) -> SharedBudget:
    """Of an exchange of which ccxt knows the pause between two requests.

    The window is long enough for some to be left to orders where few are allowed, and shorter than anybody waits.
    """
    per_s = 1000.0 / max(pause_ms, 1.0)
    window_s = min(max(REQUESTS_MIN / per_s, 1.0), ACCOUNT_WINDOW_S_MAX)
    return SharedBudget(path, max(per_s * window_s, 1.0), window_s=window_s)


class BudgetLine:
    """One kind of request of one process; the part of `RollingWindow` that the venues use."""

    def __init__(self, budget: SharedBudget, share: float) -> None:
        self._budget = budget
        self._share = share

    def acquire(self, cost: float = 1.0) -> None:
        """Wait until `cost` fits, at most WAIT_S_MAX or HISTORY_WAIT_S_MAX. Raises BudgetSpent when it takes longer."""
        waited_s = 0.0
        while (wait_s := self._take(cost)) > 0:
            waited_s = _waited(waited_s, wait_s)
            self._budget.wait(wait_s)

    async def throttle(self, cost: float, weight_per_unit: float) -> None:
        """The same for ccxt's async clients, which count in units of their own."""
        waited_s = 0.0
        while (wait_s := self._take(cost * weight_per_unit)) > 0:
            waited_s = _waited(waited_s, wait_s)
            await asyncio.sleep(wait_s)

    def _take(self, cost: float) -> float:
        return self._budget.take(cost, self._share * (HISTORY_PART if _of_history.get() else 1.0))


def _waited(waited_s: float, wait_s: float) -> float:
    if waited_s + wait_s > (HISTORY_WAIT_S_MAX if _of_history.get() else WAIT_S_MAX):
        raise BudgetSpent(
            "the budget of all processes is used up; nothing was sent", value=f"{wait_s:.1f} s", retry_after_s=wait_s
        )
    return waited_s + wait_s


def _slots(page: bytearray) -> Iterator[tuple[int, float]]:
    return _SLOT.iter_unpack(page[_HEAD.size :])
