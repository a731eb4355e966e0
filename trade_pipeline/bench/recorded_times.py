"""What a running stack has written down about a bar: its decision, the events of its two runs, its orders.

Read from the ledger and from Dagster's tables in the same database; nothing is asked of the processes that trade.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import text

from trade_pipeline.bench.stages import Bar, Event, cut, ends_of, last_first_submission
from trade_pipeline.ledger.database import Database
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Decision, Outcome

FINAL_AFTER = "final_after_ms"
_EVENTS = text(
    "SELECT step_key, dagster_event_type, timestamp FROM public.event_logs WHERE run_id = :run_id ORDER BY id"
)
_FETCHED = text(
    "SELECT event FROM public.event_logs WHERE run_id = :run_id AND step_key = 'raw_bars'"
    " AND dagster_event_type = 'ASSET_MATERIALIZATION' LIMIT 1"
)
_EXECUTES = text(
    "SELECT r.run_id FROM public.runs r JOIN public.run_tags t ON t.run_id = r.run_id"
    " WHERE r.pipeline_name = 'execute' AND t.key = 'trade/decision_id' AND t.value = :decision_id ORDER BY r.id"
)


def executed(ledger: Ledger, decision_id: str) -> Outcome | None:
    """How the execution of a decision ended; None while it has not."""
    return next((item for item in ledger.outcomes(decision_id) if item.stage == "execute"), None)


def bar_of(ledger: Ledger, database: Database, decision: Decision) -> Bar | None:
    """The stages of an executed decision; None where it has sent no order that was acknowledged."""
    outcomes = {item.stage: item for item in ledger.outcomes(decision.decision_id)}
    orders = list(ledger.orders_named(_names(outcomes["execute"])).values())
    acknowledged_at = last_first_submission(orders)
    if acknowledged_at is None:
        return None
    decide = _events(database, decision.run_id)
    executes = [_events(database, run_id) for run_id in _executes(database, decision.decision_id)]
    # Two sensors ask for a run each; the one that began first has made the claim.
    first = min(executes, key=_began_at, default=[])
    times = {stage: item.at for stage, item in outcomes.items()}
    ends = ends_of(decide, first, times, decision.decided_at, acknowledged_at)
    return Bar(
        as_of=decision.as_of,
        orders=len(orders),
        total_s=(acknowledged_at - decision.as_of).total_seconds(),
        final_s=_final_s(database, decision.run_id),
        stages=cut(decision.as_of, ends),
        events=len(decide) + len(first),
    )


def _names(outcome: Outcome) -> list[str]:
    sent = outcome.detail.get("orders") or []
    assert isinstance(sent, list), "the ledger keeps the orders of an execution as a list"
    return [str(item["client_order_id"]) for item in sent]


def _executes(database: Database, decision_id: str) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(_EXECUTES, {"decision_id": decision_id}).scalars())


def _events(database: Database, run_id: str) -> list[Event]:
    with database.reading() as connection:
        rows = connection.execute(_EVENTS, {"run_id": run_id}).all()
    return [(row.step_key, row.dagster_event_type, row.timestamp.replace(tzinfo=UTC)) for row in rows]


def _began_at(events: Iterable[Event]) -> datetime:
    return min((at for _, kind, at in events if kind == "STEP_START"), default=datetime.max.replace(tzinfo=UTC))


def _final_s(database: Database, run_id: str) -> float | None:
    """Close to the first candle known to be final, as the asset raw_bars noted it."""
    with database.reading() as connection:
        event = connection.execute(_FETCHED, {"run_id": run_id}).scalar()
    if event is None:
        return None
    data = json.loads(event)["dagster_event"]["event_specific_data"]["materialization"]["metadata_entries"]
    found = [entry["entry_data"].get("value") for entry in data if entry["label"] == FINAL_AFTER]
    return found[0] / 1000 if found else None
