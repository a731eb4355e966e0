"""Locks, the equity curve, events and heartbeats: what people and limits look at; no order, no fill."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from functools import cache

from sqlalchemy import Insert, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import Insert as Upsert
from sqlalchemy.dialects.postgresql import insert as upsert

from trade_pipeline.ledger import rows
from trade_pipeline.ledger.base import LedgerPart, write_event
from trade_pipeline.ledger.records import EquityPoint, Event, Heartbeat, Lock
from trade_pipeline.ledger.tables import equity, events, heartbeats, lock_ends, locks


class NoteBook(LedgerPart):
    def lock(self, lock: Lock) -> None:
        """Lock (strategy, symbol); a lock that is there already is replaced."""
        values = {item.name: getattr(lock, item.name) for item in fields(lock)}
        with self._database.transaction() as connection:
            connection.execute(_unlock(lock.account, lock.strategy, lock.symbol, self._now()))
            connection.execute(insert(locks).values(values))

    def unlock(self, account: str, strategy: str, symbol: str) -> None:
        with self._database.transaction() as connection:
            connection.execute(_unlock(account, strategy, symbol, self._now()))

    def locks(self, account: str, at: datetime) -> list[Lock]:
        """Locks in force at a moment, oldest first."""
        query = select(locks).where(
            locks.c.account == account,
            locks.c.locked_at <= at,
            or_(locks.c.until.is_(None), locks.c.until > at),
            or_(locks.c.unlocked_at.is_(None), locks.c.unlocked_at > at),
        )
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(locks.c.locked_at, locks.c.id)).all()
        return [Lock(row.account, row.strategy, row.symbol, row.reason, row.locked_at, row.until) for row in found]

    def record_equity(self, point: EquityPoint) -> None:
        """One point of the curve; a second one for the same moment changes nothing."""
        values = {item.name: getattr(point, item.name) for item in fields(point)}
        with self._database.transaction() as connection:
            connection.execute(upsert(equity).values(values).on_conflict_do_nothing())

    def equity(self, account: str, since: datetime | None = None) -> list[EquityPoint]:
        """Points at or after `since`, oldest first."""
        query = select(equity).where(equity.c.account == account)
        if since is not None:
            query = query.where(equity.c.at >= since)
        with self._database.reading() as connection:
            return [EquityPoint(**row._mapping) for row in connection.execute(query.order_by(equity.c.at))]

    def last_equity(self, account: str) -> EquityPoint | None:
        """The newest point, whose peak is the one in force; None before the first."""
        query = select(equity).where(equity.c.account == account).order_by(equity.c.at.desc()).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return EquityPoint(**row._mapping) if row else None

    def highest_level(self, account: str, since: datetime) -> Decimal | None:
        """The largest share of its peak that the equity had at or after `since`; None without a point."""
        level = func.max(equity.c.equity_quote / equity.c.peak_quote)
        with_peak = (equity.c.account == account, equity.c.at >= since, equity.c.peak_quote > 0)
        with self._database.reading() as connection:
            found = connection.execute(select(level).where(*with_peak)).scalar_one()
        return None if found is None else Decimal(found)

    def record_event(self, event: Event) -> None:
        with self._database.transaction() as connection:
            write_event(connection, event)

    def events(
        self,
        account: str,
        since: datetime | None = None,
        limit: int = 200,
        *,
        client_order_id: str | None = None,
        kinds: Collection[str] = (),
    ) -> list[Event]:
        """Newest first; of one order, or of some kinds only, where they are named."""
        query = select(events).where(events.c.account == account)
        if client_order_id is not None:
            query = query.where(events.c.client_order_id == client_order_id)
        if kinds:
            query = query.where(events.c.kind.in_(kinds))
        if since is not None:
            query = query.where(events.c.at >= since)
        query = query.order_by(events.c.at.desc(), events.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [rows.event_from(row) for row in connection.execute(query)]

    def heartbeat(self, process: str, detail: Mapping[str, object] | None = None) -> None:
        """This process lives, at the ledger's clock."""
        values = {"process": process, "at": self._now(), "detail": rows.plain(detail or {})}
        with self._database.transaction() as connection:
            connection.execute(_beat(), values)

    def heartbeats(self) -> list[Heartbeat]:
        """By process name."""
        with self._database.reading() as connection:
            found = connection.execute(select(heartbeats).order_by(heartbeats.c.process)).all()
        return [Heartbeat(row.process, row.at, row.detail) for row in found]


def _unlock(account: str, strategy: str, symbol: str, now: datetime) -> Insert:
    """Lifts what is locked, and writes down when: one statement."""
    lifted = (
        update(locks)
        .where(
            locks.c.account == account,
            locks.c.strategy == strategy,
            locks.c.symbol == symbol,
            locks.c.unlocked_at.is_(None),
        )
        .values(unlocked_at=now)
        .returning(locks.c.id, locks.c.unlocked_at)
        .cte("lifted")
    )
    return insert(lock_ends).from_select(["lock_id", "at"], select(lifted.c.id, lifted.c.unlocked_at))


@cache
def _beat() -> Upsert:
    new = upsert(heartbeats)
    set_ = {"at": new.excluded.at, "detail": new.excluded.detail}
    return new.on_conflict_do_update(index_elements=[heartbeats.c.process], set_=set_)
