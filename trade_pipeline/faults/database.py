"""The ledger as a simulation uses it: the real one on a real PostgreSQL, asked twice only when something was written.

All processes of a simulation live in one interpreter and nobody else writes to their account, so between two writes
the database gives the same answer to the same question: it is remembered. Every write, and the first read after it,
goes to the server. Who waits for a lease asks again when it may have become free.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from sqlalchemy import create_engine, select

from trade_pipeline.errors import LeaseHeld
from trade_pipeline.faults.thrift import AskingConnection, ThriftyConnection
from trade_pipeline.ledger.database import Database
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Lease, Lock
from trade_pipeline.ledger.tables import leases

MONEY = frozenset(
    {
        "adjust_position",
        "adopt",
        "adopt_order",
        "apply_venue_order",
        "book_flow",
        "book_trades",
        "rebuild_positions",
        "record_opening",
        "settle",
        "settle_all",
    }
)
ORDERS = MONEY | {
    "abandon",
    "mark_absent",
    "mark_cancel_refused",
    "mark_pending_cancel",
    "mark_rejected",
    "mark_sent",
    "mark_unknown",
    "plan_order",
}
NOTES = frozenset(
    {
        "drop_exit_state",
        "lock",
        "record_conflict",
        "record_decision",
        "record_equity",
        "record_event",
        "save_exit_state",
        "set_breaker",
        "unlock",
    }
)
WITHOUT_TRACE = frozenset(
    {
        "acquire_lease",
        "claim",
        "count_recovery",
        "heartbeat",
        "record_outcome",
        "record_verdicts",
        "release_lease",
    }
)
"""Writes that none of the reads below can see."""
CHANGED_BY: dict[str, frozenset[str]] = {
    "breakers": frozenset({"set_breaker"}),
    "closed_trades": MONEY,
    "decision": frozenset({"record_decision"}),
    "equity": frozenset({"record_equity"}),
    "events": MONEY | NOTES,
    "exit_state": frozenset({"save_exit_state", "drop_exit_state"}),
    "exit_states": frozenset({"save_exit_state", "drop_exit_state"}),
    "expected_balances": MONEY,
    "fees_paid": MONEY,
    "fills": MONEY,
    "intent": frozenset({"plan_order", "adopt_order"}),
    "last_trade_id": MONEY,
    "last_trade_ids": MONEY,
    "live_orders": ORDERS,
    "locks": frozenset({"lock", "unlock"}),
    "newest_decision": frozenset({"record_decision"}),
    "newest_entry_intent": frozenset({"plan_order", "adopt_order"}),
    "open_conflicts": frozenset({"record_conflict"}),
    "opened_at": frozenset({"record_opening"}),
    "order": ORDERS,
    "order_by_venue_id": ORDERS,
    "order_events": ORDERS,
    "orders": ORDERS,
    "orders_named": ORDERS,
    "highest_level": frozenset({"record_equity"}),
    "last_equity": frozenset({"record_equity"}),
    "position": MONEY,
    "positions": MONEY,
    "realised": MONEY,
    "sleeves": MONEY,
    "sleeves_of": MONEY,
    "snapshot": frozenset({"record_decision"}),
    "targets": frozenset({"record_decision"}),
}
"""Reads whose answer depends on their arguments and on what was committed, and the methods that can change it."""
SINCE = {"closed_trades": "closed_at", "equity": "at", "events": "at", "orders": "planned_at"}
"""Reads of what is younger than their second argument, and the time that it is compared with: nothing in a simulation
is old, so one answer serves every such time."""
KNOWN = ORDERS | NOTES | WITHOUT_TRACE
EXIT_ASKS_EVERY = timedelta(seconds=0.25)
"""An exit's asking is written down, and others stand back for seconds: it is enough to ask four times in one."""
OPTIONS = "-c timezone=UTC -c lock_timeout=5000 -c enable_seqscan=off -c jit=off -c plan_cache_mode=force_generic_plan"
"""Thousands of small accounts in tables that nobody analyses: the planner is told to use its indexes."""


class Remembered:
    """Answers of one simulation's database since its last write."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[tuple[object, ...], Any]] = {}
        self.refusals: dict[tuple[str, str, bool], tuple[datetime, LeaseHeld]] = {}
        """(account, holder, for an exit) -> until when the lease is certainly held, and what was answered."""

    def written(self, method: str) -> None:
        """`method` of the ledger is about to commit, or has just done so. An unknown one may have changed anything."""
        self.refusals.clear()
        for read in [*self.answers]:
            if method in CHANGED_BY[read] or method not in KNOWN:
                del self.answers[read]


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

    def acquire_lease(
        self, account: str, holder: str, ttl_s: float, for_exit: bool = False, settled_s: float | None = None
    ) -> Lease:
        """A refusal holds until the lease may have become free, or something is written."""
        question = (account, holder, for_exit)
        until, refusal = self._remembered.refusals.get(question, (self._now(), None))
        if refusal is not None and self._now() < until:
            self._before_read()
            raise refusal
        try:
            return super().acquire_lease(account, holder, ttl_s, for_exit, settled_s)
        except LeaseHeld as error:
            held_until = self._now() + EXIT_ASKS_EVERY if for_exit else self._held_until(account)
            self._remembered.refusals[question] = (held_until, error)
            raise

    def _held_until(self, account: str) -> datetime:
        """When somebody who is no exit may get the lease, if nothing is written before."""
        query = select(leases.c.expires_at, leases.c.exit_wanted_until).where(leases.c.account == account)
        with self._database.reading() as connection:
            until: datetime = max(moment for moment in connection.execute(query).one() if moment is not None)
        return until


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


def _asked_once_for_all_times(name: str, stamp: str) -> Callable[..., Any]:
    of_all_times = _asked_once(name)

    @wraps(of_all_times)
    def ask(
        self: SimulatedLedger, account: str, since: datetime | None = None, *arguments: object, **named: object
    ) -> object:
        # Newest first and cut at a limit, or uncut: what is too old may as well go afterwards.
        found = of_all_times(self, account, None, *arguments, **named)
        return found if since is None else [row for row in found if getattr(row, stamp) >= since]

    return ask


for _name in CHANGED_BY.keys() - {"locks"}:
    _ask = _asked_once_for_all_times(_name, SINCE[_name]) if _name in SINCE else _asked_once(_name)
    setattr(SimulatedLedger, _name, _ask)


class HeldConnections(Database):
    """Two connections that are never asked whether they still live: the server is ours and next door."""

    _reader: Any = None

    def engine(self) -> Any:
        if self._engine is None:
            self._engine = self._made(ThriftyConnection)
        return self._engine

    def reader(self) -> Any:
        if self._reader is None:
            self._reader = self._made(AskingConnection)
        return self._reader

    def _made(self, factory: type[ThriftyConnection]) -> Any:
        return create_engine(
            self._url,
            pool_size=2,
            connect_args={"options": OPTIONS, "connection_factory": factory},
            use_native_hstore=False,
        )

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
