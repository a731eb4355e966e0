"""What every part of the ledger stands on: the database, the clock and the account's lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, DateTime, func, insert, literal, text

from trade_pipeline.ledger import rows, tables
from trade_pipeline.ledger.database import Database
from trade_pipeline.ledger.records import Event

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:account, 7))")
_LOCK_IN_HASTE = text(
    "SELECT pg_advisory_xact_lock(hashtextextended(:account, 7)), set_config('synchronous_commit', 'off', true)"
)
_NEW_EVENT = insert(tables.events).inline()


def utc_now() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)


class LedgerPart:
    """One part of `ledger.Ledger`; the parts are mixed into that one class and share its database and clock."""

    def __init__(
        self,
        url: str,
        *,
        now: Callable[[], datetime] = utc_now,
        database_now: Callable[[], datetime] | None = None,
        watch: Callable[[str], None] | None = None,
        connections: LedgerPart | None = None,
    ) -> None:
        lender = None if connections is None else connections._database
        self._database: Database = Database(url, watch=watch, connections=lender)
        self._now = now
        self._database_now = database_now

    def _clock(self) -> ColumnElement[datetime]:
        """The clock by which leases run: the database's own, or the injected one of virtual time."""
        if self._database_now is None:
            return func.clock_timestamp()
        return literal(self._database_now(), DateTime(timezone=True))

    def close(self) -> None:
        """Close this process's connections; the next call opens new ones."""
        self._database.close()


def lock_account(connection: Connection, account: str, *, in_haste: bool = False) -> None:
    """One writer of an account's orders and positions at a time, until the transaction ends.

    Always taken before any row is locked, so that two writers cannot wait for each other. `in_haste`: the commit does
    not wait for the disk. Only for what another commit of the same process follows before anything rests on it: that
    one takes to the disk all that was written before it.
    """
    connection.execute(_LOCK_IN_HASTE if in_haste else _LOCK, {"account": account})


def write_event(connection: Connection, event: Event) -> None:
    connection.execute(_NEW_EVENT, rows.event_values(event))


def write_events(connection: Connection, events: Sequence[Event]) -> None:
    if events:
        connection.execute(insert(tables.events), [rows.event_values(event) for event in events])
