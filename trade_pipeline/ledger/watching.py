"""What is kept about trading going wrong: breakers, conflicts, exits' memory, verdicts, recoveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert

from trade_pipeline import redaction
from trade_pipeline.ledger.base import LedgerPart, write_event
from trade_pipeline.ledger.records import BreakerState, Conflict, Event, ExitState, GuardVerdict, RecoveryCount
from trade_pipeline.ledger.rows import plain
from trade_pipeline.ledger.tables import breakers, conflicts, exit_states, guard_verdicts, recoveries

STILL_OPEN = frozenset({"found", "halted"})
"""Last outcomes of a conflict that is not over."""
NO_NEWS = frozenset({"calm_since"})
"""Keys of a breaker's detail that change without an event."""
_BREAKER_SEVERITY = {"OPEN": "critical", "HALF_OPEN": "warning", "CLOSED": "info"}
_EXIT_STATES = select(exit_states).where(exit_states.c.account == bindparam("account")).order_by(exit_states.c.symbol)


class WatchBook(LedgerPart):
    def breakers(self, account: str) -> list[BreakerState]:
        """Every breaker of the account that was ever set, by scope."""
        query = select(breakers).where(breakers.c.account == account).order_by(breakers.c.scope)
        with self._database.reading() as connection:
            return [BreakerState(**row._mapping) for row in connection.execute(query)]

    def set_breaker(self, breaker: BreakerState) -> None:
        """The breaker's new state, and the event that tells of it, in one transaction.

        What is NO_NEWS (since when a breach is over) is remembered beside the same state without an event.
        """
        # As an event is: what the event says must be what the row says.
        said = redaction.current().value({"reason": breaker.reason, "detail": plain(breaker.detail)})
        assert isinstance(said, dict)
        breaker = replace(breaker, **said)
        values = _values(breaker)
        scope = [breakers.c.account, breakers.c.scope]
        opened_at = None if breaker.opened_at is None else breaker.opened_at.isoformat()
        told = {"scope": breaker.scope, "dimension": breaker.dimension, "reason": breaker.reason}
        event = Event(
            breaker.changed_at,
            f"breaker_{breaker.state.lower()}",
            _BREAKER_SEVERITY[breaker.state],
            breaker.account,
            None if breaker.scope == "*" else breaker.scope,
            detail=dict(breaker.detail) | told | {"stage": breaker.stage, "opened_at": opened_at},
        )
        of_scope = (breakers.c.account == breaker.account, breakers.c.scope == breaker.scope)
        with self._database.transaction() as connection:
            before = connection.execute(select(breakers).where(*of_scope).with_for_update()).one_or_none()
            connection.execute(upsert(breakers).values(values).on_conflict_do_update(index_elements=scope, set_=values))
            if before is None or _news(breaker) != _news(BreakerState(**before._mapping)):
                write_event(connection, event)

    def record_conflict(self, conflict: Conflict) -> None:
        with self._database.transaction() as connection:
            connection.execute(insert(conflicts).values(_values(conflict)))

    def conflicts(self, account: str, since: datetime | None = None, limit: int = 200) -> list[Conflict]:
        """Findings and outcomes, newest first."""
        query = select(conflicts).where(conflicts.c.account == account)
        if since is not None:
            query = query.where(conflicts.c.at >= since)
        query = query.order_by(conflicts.c.at.desc(), conflicts.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [_conflict(row._mapping) for row in connection.execute(query)]

    def open_conflicts(self, account: str) -> list[Conflict]:
        """The last row of each conflict that is not over, oldest first."""
        newest = (
            select(func.max(conflicts.c.id))
            .where(conflicts.c.account == account)
            .group_by(conflicts.c.conflict_id)
            .scalar_subquery()
        )
        query = select(conflicts).where(conflicts.c.id.in_(newest), conflicts.c.outcome.in_(STILL_OPEN))
        with self._database.reading() as connection:
            return [_conflict(row._mapping) for row in connection.execute(query.order_by(conflicts.c.id))]

    def exit_state(self, account: str, symbol: str) -> ExitState | None:
        query = select(exit_states).where(exit_states.c.account == account, exit_states.c.symbol == symbol)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return ExitState(**row._mapping) if row else None

    def exit_states(self, account: str) -> dict[str, ExitState]:
        """By symbol."""
        with self._database.reading() as connection:
            found = connection.execute(_EXIT_STATES, {"account": account})
            return {row.symbol: ExitState(**row._mapping) for row in found}

    def save_exit_state(self, state: ExitState) -> None:
        """Replaces what was remembered of the symbol."""
        with self._database.transaction() as connection:
            connection.execute(_save_exit_state(), _values(state))

    def drop_exit_state(self, account: str, symbol: str) -> None:
        where = (exit_states.c.account == account, exit_states.c.symbol == symbol)
        with self._database.transaction() as connection:
            connection.execute(delete(exit_states).where(*where))

    def record_verdicts(self, verdicts: Sequence[GuardVerdict]) -> None:
        if verdicts:
            with self._database.transaction() as connection:
                connection.execute(insert(guard_verdicts), [_values(verdict) for verdict in verdicts])

    def verdicts(self, decision_id: str) -> list[GuardVerdict]:
        """In the order in which they were given."""
        query = select(guard_verdicts).where(guard_verdicts.c.decision_id == decision_id)
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(guard_verdicts.c.id)).all()
        return [GuardVerdict(**_without_id(row._mapping)) for row in found]

    def count_recovery(self, day: date, component: str, error: str, action: str, recovered: bool) -> None:
        """One more error that was answered by `action`, with or without success."""
        key = {"day": day, "component": component, "error": error, "action": action, "recovered": recovered}
        statement = upsert(recoveries).values(key | {"count": 1})
        more = {"count": recoveries.c.count + 1}
        with self._database.transaction() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=more))

    def recoveries(self, since: date) -> list[RecoveryCount]:
        """By day, component, error and action."""
        query = select(recoveries).where(recoveries.c.day >= since).order_by(*list(recoveries.c)[:5])
        with self._database.reading() as connection:
            return [RecoveryCount(**row._mapping) for row in connection.execute(query)]

    def recovery_totals(self) -> list[RecoveryCount]:
        """The same over all days, each with its newest day."""
        what = [recoveries.c.component, recoveries.c.error, recoveries.c.action, recoveries.c.recovered]
        newest, total = func.max(recoveries.c.day).label("day"), func.sum(recoveries.c.count).label("count")
        with self._database.reading() as connection:
            found = connection.execute(select(newest, *what, total).group_by(*what).order_by(*what)).all()
        return [RecoveryCount(**{**row._mapping, "count": int(row._mapping["count"])}) for row in found]


def _values(record: Any) -> dict[str, Any]:
    values = {item.name: getattr(record, item.name) for item in fields(record)}
    return values | ({"detail": plain(values["detail"])} if "detail" in values else {})


def _news(breaker: BreakerState) -> BreakerState:
    return replace(breaker, detail={name: value for name, value in breaker.detail.items() if name not in NO_NEWS})


def _without_id(values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "id"}


def _conflict(values: Any) -> Conflict:
    return Conflict(**_without_id(values))


@cache
def _save_exit_state() -> Insert:
    new = upsert(exit_states)
    key = [exit_states.c.account, exit_states.c.symbol]
    return new.on_conflict_do_update(
        index_elements=key, set_={item.name: new.excluded[item.name] for item in fields(ExitState)}
    )
