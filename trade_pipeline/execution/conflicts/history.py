"""The history of conflicts in the ledger: a row when one is found and a row when something becomes of it.

Not a row per cycle: the same difference with the same amounts is told once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from trade_pipeline.execution.conflicts.kinds import Finding, Key, Outcome
from trade_pipeline.execution.desk import Desk
from trade_pipeline.ledger.records import Conflict

KEPT = timedelta(days=7)
"""Older conflicts that are over are not looked at again: a foreign order that still rests then is told anew."""
ROWS_MAX = 2000
OPEN = frozenset({str(Outcome.FOUND), str(Outcome.HALTED)})


@dataclass
class History:
    """The last row of each conflict. Read from the ledger once; a restart reads it again."""

    last: dict[Key, Conflict] = field(default_factory=dict)
    is_read: bool = False

    def read(self, desk: Desk) -> None:
        """Load what is known, open conflicts of any age included."""
        if self.is_read:
            return
        rows = desk.ledger.conflicts(desk.account, desk.now() - KEPT, ROWS_MAX)
        for row in [*desk.ledger.open_conflicts(desk.account), *reversed(rows)]:
            self.last[key_of(row)] = row
        self.is_read = True

    def of(self, key: Key) -> Conflict | None:
        return self.last.get(key)

    def open(self) -> dict[Key, Conflict]:
        return {key: row for key, row in self.last.items() if row.outcome in OPEN}

    def write(
        self, desk: Desk, finding: Finding, strategy: str, outcome: Outcome, detail: Mapping[str, object] | None = None
    ) -> Conflict:
        """Append what is known of it now; one that was over begins anew."""
        before = self.of(finding.key)
        same = before is not None and before.outcome in OPEN
        row = Conflict(
            conflict_id=before.conflict_id if same and before else _new_id(desk, finding.key),
            account=desk.account,
            subject=finding.subject,
            kind=finding.key.kind,
            ledger_amount=finding.ledger_amount,
            exchange_amount=finding.exchange_amount,
            strategy=strategy,
            outcome=str(outcome),
            at=desk.now(),
            detail={**finding.detail, "reference": finding.key.reference, **(detail or {})},
        )
        desk.ledger.record_conflict(row)
        self.last[finding.key] = row
        return row

    def close(self, desk: Desk, key: Key, why: str) -> None:
        """The difference is gone."""
        last = self.last[key]
        finding = Finding(key, last.ledger_amount, last.exchange_amount)
        row = self.write(desk, finding, last.strategy, Outcome.RESOLVED, {"why": why})
        self.last[key] = row


def key_of(row: Conflict) -> Key:
    return Key(row.kind, row.subject, str(row.detail.get("reference", "")))


def _new_id(desk: Desk, key: Key) -> str:
    text = f"{desk.account}|{key.kind}|{key.subject}|{key.reference}|{desk.now().isoformat()}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
