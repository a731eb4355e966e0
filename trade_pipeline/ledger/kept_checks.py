"""What the checks of a decision said, for the time when Dagster's record of the run is gone. Once each, as an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from trade_pipeline.ledger import rows
from trade_pipeline.ledger.base import LedgerPart, write_event
from trade_pipeline.ledger.records import Decision, Event
from trade_pipeline.ledger.tables import decisions, events, intents

KIND = "checks_kept"


class KeptCheckBook(LedgerPart):
    def ordered_decisions(self, run_ids: Sequence[str]) -> list[Decision]:
        """Decisions of these runs from which an order followed, and whose checks are not kept yet."""
        ordered = select(intents.c.intent_id).where(intents.c.decision_id == decisions.c.decision_id).exists()
        kept = (
            select(events.c.id).where(events.c.kind == KIND, events.c.decision_id == decisions.c.decision_id).exists()
        )
        query = select(decisions).where(decisions.c.run_id.in_(run_ids), ordered, ~kept)
        with self._database.reading() as connection:
            return [rows.decision_from(row) for row in connection.execute(query)]

    def keep_checks(self, decision: Decision, checks: Sequence[Mapping[str, str]]) -> None:
        """`checks`: asset, check, status, what, each a text."""
        detail = {"run_id": decision.run_id, "checks": [dict(check) for check in checks]}
        event = Event(
            self._now(), KIND, "info", decision.account, decision_id=decision.decision_id, detail=rows.plain(detail)
        )
        with self._database.transaction() as connection:
            write_event(connection, event)

    def kept_checks(self, decision_id: str) -> list[dict[str, str]]:
        """Empty where none were kept."""
        query = select(events.c.detail).where(events.c.kind == KIND, events.c.decision_id == decision_id).limit(1)
        with self._database.reading() as connection:
            detail = connection.execute(query).scalar_one_or_none()
        return list(detail["checks"]) if detail else []
