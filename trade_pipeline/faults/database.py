"""The ledger as a simulation uses it: the real one on a real PostgreSQL, asked twice only when something was written.

All processes of a simulation live in one interpreter and nobody else writes to their account, so between two writes
the database gives the same answer to the same question: it is remembered. Every write, and the first read after it,
goes to the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import Any

from sqlalchemy import create_engine

from trade_pipeline.ledger.database import Database
from trade_pipeline.ledger.ledger import Ledger

READS = (
    "breakers",
    "closed_trades",
    "decision",
    "exit_state",
    "expected_balances",
    "fees_paid",
    "fills",
    "intent",
    "last_trade_id",
    "live_orders",
    "newest_decision",
    "newest_entry_intent",
    "open_conflicts",
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
ASIDE = frozenset({"heartbeat", "record_equity", "acquire_lease", "release_lease"})
"""Writes that none of the above reads."""


class Remembered:
    """Answers of one simulation's database since its last write."""

    def __init__(self) -> None:
        self.answers: dict[tuple[object, ...], object] = {}

    def written(self, method: str) -> None:
        """`method` of the ledger is about to commit, or has just done so."""
        if method not in ASIDE:
            self.answers.clear()


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


def _asked_once(name: str) -> Callable[..., Any]:
    method = getattr(Ledger, name)

    @wraps(method)
    def ask(self: SimulatedLedger, *arguments: object, **named: object) -> object:
        self._before_read()
        question = (name, arguments, tuple(named.items()))
        if question not in self._remembered.answers:
            self._remembered.answers[question] = method(self, *arguments, **named)
        answer = self._remembered.answers[question]
        # Records are frozen; the list or dict around them is the asker's own.
        return answer.copy() if isinstance(answer, list | dict) else answer

    return ask


for _name in READS:
    if hasattr(Ledger, _name):
        setattr(SimulatedLedger, _name, _asked_once(_name))


class HeldConnections(Database):
    """Two connections that are never asked whether they still live: the server is ours and next door."""

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with self.mapped_errors(), self.reader().connect() as connection:
            yield connection

    def engine(self) -> Any:
        if self._engine is None:
            self._engine = create_engine(self._url, pool_size=2)
        return self._engine

    def reader(self) -> Any:
        if self._reader is None:
            # An engine of its own: switching one connection between autocommit and not costs more than the reads.
            self._reader = create_engine(
                self._url,
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
