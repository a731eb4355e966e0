"""How an account is asked through ccxt's unified clients: two lines, bounded repeats, one clock, one set of symbols.

Nothing here knows what is asked; `unified_trading` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import stamina

from trade_pipeline.errors import ClockSkew
from trade_pipeline.venues.answers import milliseconds
from trade_pipeline.venues.ccxt_clients import PerProcess
from trade_pipeline.venues.error_map import Asked
from trade_pipeline.venues.order_budget import OrderBudget
from trade_pipeline.venues.public_reads import BACKOFF_INITIAL_S, BACKOFF_S_MAX, backoff, utc_now
from trade_pipeline.venues.rate_budget import Cooldown, per_second
from trade_pipeline.venues.shared_budget import ACCOUNT_SHARE, SharedBudget, requests_of_account
from trade_pipeline.venues.unified_client import UnifiedLine, UnifiedOptions, unified_client
from trade_pipeline.venues.unified_errors import unified_error
from trade_pipeline.venues.unified_public import UnifiedPublicReads

T = TypeVar("T")

RESYNCS_MAX = 2
UNTHROTTLED_PER_S = 1000.0
"""Of reads, for our own window: ccxt throttles them by what it knows of the exchange's limits."""

MakeClient = Callable[..., Any]


class UnifiedLines(UnifiedPublicReads):
    """Orders and cancels have their own client, connections and budget. Safe from any thread, and after a fork."""

    def __init__(
        self,
        options: UnifiedOptions,
        *,
        read_attempts_max: int = 3,
        budget_path: Path | None = None,
        order_budget: OrderBudget | None = None,
        make_client: MakeClient = unified_client,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """`budget_path` is the file in which all processes count what they ask of this account, beside ccxt's own
        throttle in each. Public data has another one: these exchanges count it apart, by address.

        Raises SettingsError for an exchange that is not in the table.
        """
        super().__init__(options.exchange, now)
        self._orders = PerProcess(lambda: UnifiedLine(make_client(options, throttled=False)))
        self._reads = PerProcess(lambda: UnifiedLine(make_client(options, throttled=True)))
        self._order_budget = order_budget or OrderBudget(self.capabilities.order_limit)
        self._read_budget = per_second(UNTHROTTLED_PER_S)
        self._own_cooldown = Cooldown()
        self._budget_path = budget_path
        self._budget: SharedBudget | None = None
        self._attempts_max = read_attempts_max
        self._total_s = options.timeout_s * 2

    def close(self) -> None:
        """Close the connections of this process. The next call opens new ones."""
        for line in (self._orders.take(), self._reads.take()):
            if line is not None:
                line.client.session.close()

    def _share_markets(self) -> None:
        self._orders.get().client.set_markets_from_exchange(self._reads.get().client)

    def _knows_markets(self) -> bool:
        return all(line.get().client.markets for line in (self._reads, self._orders))

    def _attempts(self, attempts_max: int) -> Any:
        return stamina.retry_context(
            on=backoff(self._total_s),
            attempts=attempts_max,
            timeout=self._total_s,
            wait_initial=BACKOFF_INITIAL_S,
            wait_max=BACKOFF_S_MAX,
            wait_jitter=BACKOFF_INITIAL_S,
        )

    def _ask(
        self,
        call: Callable[[Any], T],
        asked: Asked,
        *,
        line: UnifiedLine | None = None,
        attempts_max: int | None = None,
    ) -> T:
        """A read, repeated within bounds. Raises VenueError."""
        for attempt in self._attempts(self._attempts_max if attempts_max is None else attempts_max):
            with attempt:
                return self._in_step(line or self._reads.get(), call, asked)
        raise AssertionError("stamina returns or raises")

    def _in_step(self, line: UnifiedLine, call: Callable[[Any], T], asked: Asked) -> T:
        """One call; after ClockSkew the clock is set and the very same call repeated, at most RESYNCS_MAX times."""
        for _ in range(RESYNCS_MAX):
            try:
                return self._once(line, call, asked)
            except ClockSkew:
                self._resynchronise(line)
        return self._once(line, call, asked)

    def _once(self, line: UnifiedLine, call: Callable[[Any], T], asked: Asked) -> T:
        shared = self._shared()
        cooldown = shared or self._own_cooldown
        cooldown.check()
        # Outside of what the cooldown notes: our own budget for reads must not silence orders.
        self._acquire(line, shared, asked)
        try:
            return line.ask(call)
        except Exception as error:
            failure = unified_error(error, line.heard, asked, self.capabilities)
        finally:
            if shared is not None and line.requests > 1:
                shared.spend(line.requests - 1)
        cooldown.note(failure)
        raise failure

    def _acquire(self, line: UnifiedLine, shared: SharedBudget | None, asked: Asked) -> None:
        """Wait until a request of this kind may leave. An order counts for everybody and waits for nobody's reads."""
        if line is self._orders.get():
            if shared is not None:
                shared.spend(1)
            if asked.orders:
                self._order_budget.acquire(asked.orders, increases=asked.increases)
        else:
            (shared.line(ACCOUNT_SHARE) if shared is not None else self._read_budget).acquire()

    def _shared(self) -> SharedBudget | None:
        """Made at first use: ccxt's class knows the limit."""
        if self._budget is None and self._budget_path is not None:
            self._budget = requests_of_account(self._budget_path, float(self._reads.get().client.rateLimit))
        return self._budget

    def _resynchronise(self, line: UnifiedLine) -> None:
        """Measure how far our clock is ahead of the exchange's; ccxt subtracts it from every timestamp."""
        before = line.client.milliseconds()
        theirs = self._time_from(self._once(line, _fetch_time, Asked("the exchange's time")))
        after = line.client.milliseconds()
        self._offset = (time.monotonic(), theirs - self._now())
        for each in (self._orders.get(), self._reads.get()):
            each.client.options["timeDifference"] = (before + after) // 2 - milliseconds(theirs)


def _fetch_time(client: Any) -> object:
    return client.fetch_time()
