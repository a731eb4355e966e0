"""The ledger as a simulation uses it: the real one on a real PostgreSQL, asked twice only when something was written.

All processes of a simulation live in one interpreter and nobody else writes to their account, so between two writes
the database gives the same answer to the same question: it is remembered. Every write, and the first read after it,
goes to the server.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

from sqlalchemy import create_engine

from trade_pipeline.ledger.database import Database
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Lock

READS = (
    "breakers",
    "closed_trades",
    "decision",
    "exit_state",
    "exit_states",
    "expected_balances",
    "fees_paid",
    "fills",
    "intent",
    "last_trade_id",
    "live_orders",
    "newest_decision",
    "newest_entry_intent",
    "open_conflicts",
    "opened_at",
    "order",
    "order_by_venue_id",
    "order_events",
    "position",
    "positions",
    "realised",
    "sleeves",
    "snapshot",
    "targets",
)
"""Methods whose answer depends on their arguments and on what was committed, and on nothing else."""
OPTIONS = "-c timezone=UTC -c lock_timeout=5000 -c enable_seqscan=off -c jit=off"
"""Thousands of small accounts in tables that nobody analyses: the planner is told to use its indexes."""
CHANGES: dict[str, frozenset[str]] = {
    "heartbeat": frozenset(),
    "record_equity": frozenset(),
    "record_event": frozenset(),
    "record_outcome": frozenset(),
    "acquire_lease": frozenset(),
    "release_lease": frozenset(),
    "claim": frozenset(),
    "save_exit_state": frozenset({"exit_state", "exit_states"}),
    "drop_exit_state": frozenset({"exit_state", "exit_states"}),
    "lock": frozenset({"locks"}),
    "unlock": frozenset({"locks"}),
    "plan_order": frozenset({"order", "orders", "live_orders", "order_events", "intent", "newest_entry_intent"}),
    "mark_sent": frozenset({"order", "orders", "live_orders", "order_events"}),
}
"""What a method's writes can change the answers of. Any other method: of all."""


class Remembered:
    """Answers of one simulation's database since its last write."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[tuple[object, ...], Any]] = {}

    def written(self, method: str) -> None:
        """`method` of the ledger is about to commit, or has just done so."""
        for changed in [*CHANGES.get(method, self.answers)]:
            self.answers.pop(changed, None)


class SimulatedLedger(Ledger):
    """The ledger of one process. `before_read` may refuse: a database that is away answers no question either."""

    def __init__(
        self,
        url: str,
        *,
        now: Callable[[], datetime],
        watch: Callable[[str], None],
        before_read: Callable[[], None],
        remembered: Remembered,
        connections: Ledger,
    ) -> None:
        super().__init__(url, now=now, database_now=now, watch=watch, connections=connections)
        self._remembered = remembered
        self._before_read = before_read

    def locks(self, account: str, at: datetime) -> list[Lock]:
        """An answer holds until the first of its locks ends, or something is written."""
        self._before_read()
        known = self._remembered.answers.setdefault("locks", {})
        found: tuple[datetime, list[Lock]] | None = known.get((account,))
        if found is None or at < found[0] or any(lock.until and lock.until <= at for lock in found[1]):
            found = known[(account,)] = (at, super().locks(account, at))
        return list(found[1])


def _asked_once(name: str) -> Callable[..., Any]:
    method = getattr(Ledger, name)

    @wraps(method)
    def ask(self: SimulatedLedger, *arguments: object, **named: object) -> object:
        self._before_read()
        known = self._remembered.answers.setdefault(name, {})
        question = (arguments, tuple(named.items()))
        if question not in known:
            known[question] = method(self, *arguments, **named)
        answer = known[question]
        # Records are frozen; the list or dict around them is the asker's own.
        return answer.copy() if isinstance(answer, list | dict) else answer

    return ask


for _name in READS:
    setattr(SimulatedLedger, _name, _asked_once(_name))


class HeldConnections(Database):
    """Two connections that are never asked whether they still live: the server is ours and next door."""

    def engine(self) -> Any:
        if self._engine is None:
            self._engine = create_engine(self._url, pool_size=2, connect_args={"options": OPTIONS})
        return self._engine

    def reader(self) -> Any:
        if self._reader is None:
            # An engine of its own: switching one connection between autocommit and not costs more than the reads.
            self._reader = create_engine(
                self._url,
                connect_args={"options": OPTIONS},
                pool_size=2,
                isolation_level="AUTOCOMMIT",
                pool_reset_on_return=None,
                skip_autocommit_rollback=True,
            )
        return self._reader

    def close(self) -> None:
        for engine in (self._engine, self._reader):
            if engine is not None:
                engine.dispose()
        self._engine = self._reader = None


def held_connections(url: str) -> Ledger:
    """A ledger whose connections serve all ledgers of a simulation."""
    ledger = Ledger(url)
    ledger._database = HeldConnections(url)
    return ledger
