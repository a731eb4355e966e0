"""Decisions with what they knew and wanted, who executes them, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from trade_pipeline.errors import AlreadyClaimed
from trade_pipeline.ledger import rows
from trade_pipeline.ledger.base import LedgerPart
from trade_pipeline.ledger.records import Decision, Outcome, Target
from trade_pipeline.ledger.tables import account_snapshots, claims, decisions, outcomes, targets
from trade_pipeline.schemas.trading import AccountSnapshot

_NEW_OUTCOME = insert(outcomes).inline()
_CLAIM = upsert(claims).on_conflict_do_nothing()
_OWNER = select(claims.c.run_id).where(
    claims.c.decision_id == bindparam("decision_id"), claims.c.job == bindparam("job")
)


class DecisionBook(LedgerPart):
    def record_snapshot(self, snapshot: AccountSnapshot) -> None:
        """Store what a decision is about to read; the same snapshot_id again changes nothing."""
        with self._database.transaction() as connection:
            _add_snapshot(connection, snapshot)

    def snapshot(self, snapshot_id: str) -> AccountSnapshot | None:
        query = select(account_snapshots).where(account_snapshots.c.snapshot_id == snapshot_id)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return rows.snapshot_from(row) if row else None

    def record_decision(self, decision: Decision, snapshot: AccountSnapshot, targets_: Sequence[Target]) -> bool:
        """Decision, snapshot and targets in one transaction. False, and nothing written, if the id was there."""
        with self._database.transaction() as connection:
            _add_snapshot(connection, snapshot)
            values = rows.decision_values(decision)
            written = connection.execute(
                upsert(decisions).values(values).on_conflict_do_nothing().returning(decisions.c.decision_id)
            ).one_or_none()
            if written is None:
                return False
            if targets_:
                connection.execute(insert(targets), [rows.target_values(target) for target in targets_])
            return True

    def decision(self, decision_id: str) -> Decision | None:
        query = select(decisions).where(decisions.c.decision_id == decision_id)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return rows.decision_from(row) if row else None

    def newest_decision(self, account: str) -> Decision | None:
        """The decision of the newest bar; of two for one bar, the one decided last."""
        query = (
            select(decisions)
            .where(decisions.c.account == account)
            .order_by(decisions.c.as_of.desc(), decisions.c.decided_at.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return rows.decision_from(row) if row else None

    def decisions_between(self, account: str, since: datetime, until: datetime) -> list[Decision]:
        """Decisions with since <= as_of < until, oldest first."""
        query = (
            select(decisions)
            .where(decisions.c.account == account, decisions.c.as_of >= since, decisions.c.as_of < until)
            .order_by(decisions.c.as_of, decisions.c.decided_at)
        )
        with self._database.reading() as connection:
            return [rows.decision_from(row) for row in connection.execute(query)]

    def targets(self, decision_id: str) -> list[Target]:
        """By symbol."""
        query = select(targets).where(targets.c.decision_id == decision_id).order_by(targets.c.symbol)
        with self._database.reading() as connection:
            return [rows.target_from(row) for row in connection.execute(query)]

    def record_outcome(
        self, decision_id: str, stage: str, outcome: str, detail: Mapping[str, object] | None = None
    ) -> None:
        """How far a decision came and why it went no further."""
        values = {"decision_id": decision_id, "stage": stage, "outcome": outcome, "at": self._now()}
        with self._database.transaction() as connection:
            connection.execute(_NEW_OUTCOME, values | {"detail": rows.plain(detail or {})})

    def outcomes(self, decision_id: str) -> list[Outcome]:
        """In the order in which they were recorded."""
        query = select(outcomes).where(outcomes.c.decision_id == decision_id).order_by(outcomes.c.id)
        with self._database.reading() as connection:
            return [
                Outcome(row.decision_id, row.stage, row.outcome, row.at, row.detail)
                for row in connection.execute(query)
            ]

    def claim(self, decision_id: str, job: str, run_id: str) -> None:
        """Make `run_id` the one run that does `job` for the decision; AlreadyClaimed for every other run.

        The same run may claim again: its step was repeated after a crash.
        """
        values = {"decision_id": decision_id, "job": job, "run_id": run_id, "claimed_at": self._now()}
        with self._database.transaction() as connection:
            connection.execute(_CLAIM, values)
            owner = connection.execute(_OWNER, {"decision_id": decision_id, "job": job}).scalar_one()
        if owner != run_id:
            raise AlreadyClaimed(
                f"run {owner} does job {job!r} of this decision", thing=f"decision {decision_id}", value=run_id
            )


def _add_snapshot(connection: Connection, snapshot: AccountSnapshot) -> None:
    connection.execute(upsert(account_snapshots).values(rows.snapshot_values(snapshot)).on_conflict_do_nothing())
