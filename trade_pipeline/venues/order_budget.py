"""How many orders an account may send, all processes together, within the exchange's window: a burst, then evenly.

Where an exchange allows N orders in a window of W seconds, `burst` of them leave without waiting and the next ones at
the pace at which no window of W, wherever it begins, holds more than N (Binance counts in fixed windows: those are
among them). It is the generic cell rate algorithm: all there is to keep is one moment, the one at which everything
sent so far will have been paid for. What increases exposure has to leave a part of the burst to what reduces it.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable
from pathlib import Path

from trade_pipeline.errors import BudgetSpent
from trade_pipeline.venues.capabilities import OrderLimit
from trade_pipeline.venues.locked_page import LockedPage

BURST_SHARE = 0.6
"""Of the window's orders, at once; what is left is the pace of those that follow."""
ENTRY_SHARE_MAX = 0.7
WAIT_S_MAX = 1.1
"""For one order: the right to send was checked before, and does not last. Who may wait longer asks again."""

ARRIVAL_SHARE = 0.05
"""Of the window: orders are counted where they leave, and on their way the later ones may catch up by so much."""

_MAGIC = b"tpordr1\0"
_PAGE = struct.Struct("<8sd")
_EPSILON_S = 1e-6


class OrderBudget:
    """Of one account. Safe from any thread, and after a fork; without `path` each process counts for itself.

    `clock` is the machine's monotonic one, the same for all its processes; a moment from before its restart, too far
    ahead, counts as a burst that has just been spent.
    """

    def __init__(
        self,
        limit: OrderLimit,
        path: Path | None = None,
        *,
        share_max: float = 1.0,
        entry_share_max: float = ENTRY_SHARE_MAX,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`share_max` of the exchange's limit is ours; purchases wait from `entry_share_max` of the burst on."""
        self._share_max = share_max
        self._entry_share_max = entry_share_max
        self._clock = clock
        self._sleep = sleep
        self._page = LockedPage(path, _PAGE.pack(_MAGIC, 0.0), _MAGIC)
        self._paid_at = 0.0
        """What this process has counted itself, also while the page could not be had."""
        self.set_limit(limit)

    def set_limit(self, limit: OrderLimit) -> None:
        """The exchange has said what it allows."""
        allowed = limit.orders * self._share_max
        whole = max(int(allowed), 1)
        # Less than one order in a window is one in a longer window.
        window_s = limit.window_s * max(1.0, 1.0 / allowed) * (1 + ARRIVAL_SHARE)
        self.burst = max(int(whole * BURST_SHARE), 1)
        self.entries = max(int(self.burst * self._entry_share_max), 1)
        # The burst at 0, then one each step_s: before W another ceil(W / step_s) - 1 have left, whole in all.
        self.step_s = window_s / (whole - self.burst + 1)

    def acquire(self, orders: int, *, increases: bool) -> None:
        """Wait until so many orders may leave, at most WAIT_S_MAX. Raises BudgetSpent when it would take longer."""
        waited_s = 0.0
        while (wait_s := self.take(orders, increases=increases)) > 0:
            if waited_s + wait_s > WAIT_S_MAX:
                raise BudgetSpent(
                    "the orders that the exchange allows are used up; nothing was sent",
                    value=f"{wait_s:.1f} s",
                    retry_after_s=wait_s,
                )
            waited_s += wait_s
            self._sleep(wait_s)

    def take(self, orders: int, *, increases: bool) -> float:
        """Count `orders` now and return 0, or the seconds until they may fit."""
        ceiling_s = (self.entries if increases else self.burst) * self.step_s
        with self._page.locked() as page:
            now = self._clock()
            paid_at = self._paid_until(_PAGE.unpack_from(page)[1], now)
            next_paid_at = paid_at + orders * self.step_s
            wait_s = next_paid_at - now - ceiling_s
            # A pair where one order is the whole burst still leaves alone, or it never would.
            if wait_s > _EPSILON_S and paid_at > now:
                _PAGE.pack_into(page, 0, _MAGIC, paid_at)
                return min(wait_s, paid_at - now)
            _PAGE.pack_into(page, 0, _MAGIC, next_paid_at)
            self._paid_at = next_paid_at
            return 0.0

    def _paid_until(self, kept: float, now: float) -> float:
        """What all have counted, this process at least. A pair may have gone one order beyond the burst; what is
        further ahead, or no number, was not counted by this clock.
        """
        most = now + (self.burst + 1) * self.step_s
        paid_at = max(kept, self._paid_at) if math.isfinite(kept) else most
        return max(min(paid_at, most), now)
