"""Differences between ledger and exchange, for people: a table of them, and a check that is red while one is open."""

# No postponed annotations here: Dagster reads the types of the check's arguments itself.

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from trade_pipeline.defs.asset_kinds import report_asset
from trade_pipeline.defs.resources import Stack
from trade_pipeline.ledger.records import Conflict

SHOWN_SINCE = timedelta(days=7)
ROWS_SHOWN_MAX = 100
COLUMNS = ("at", "subject", "kind", "ledger_amount", "exchange_amount", "strategy", "outcome", "why", "conflict_id")


@report_asset("position_conflicts", "What ledger and exchange said differently, who was believed, and what is open.")
def position_conflicts(stack: Stack) -> dg.MaterializeResult[None]:
    book, account = stack.open.ledger, stack.open.settings.account
    open_now = book.open_conflicts(account)
    rows = book.conflicts(account, stack.open.now() - SHOWN_SINCE, ROWS_SHOWN_MAX)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "open": len(open_now),
            "open_conflicts": table_of(open_now),
            "recent": table_of(rows),
        }
    )


@dg.asset_check(
    asset="position_conflicts",
    name="ledger_equals_exchange",
    blocking=False,
    description="No conflict between ledger and exchange is open. Read from the ledger at the time of the check.",
)
def ledger_equals_exchange(stack: Stack) -> dg.AssetCheckResult:
    """Red with rows while a conflict is open; the guard halts by itself what has to stand still."""
    found = stack.open.ledger.open_conflicts(stack.open.settings.account)
    sentence = "Ledger and exchange agree."
    if found:
        first = found[0]
        sentence = f"{len(found)} open: {first.kind} {first.subject} ({first.outcome}). See docs/trading.md."
    metadata: dict[str, object] = {"open": len(found), "threshold": 0}
    if found:
        metadata["failing_rows"] = table_of(found)
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR,
        description=sentence,
        metadata=metadata,  # type: ignore[arg-type]  # only kinds that Dagster knows are put in
    )


def table_of(rows: Sequence[Conflict]) -> dg.TableMetadataValue:
    """Conflicts as Dagster shows tables, every value as text."""
    records = [
        dg.TableRecord(
            {name: str(row.detail.get("why", "") if name == "why" else _shown(getattr(row, name))) for name in COLUMNS}
        )
        for row in rows[:ROWS_SHOWN_MAX]
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in COLUMNS])
    return dg.MetadataValue.table(records=records, schema=schema)


def _shown(value: object) -> object:
    return "" if value is None else value
