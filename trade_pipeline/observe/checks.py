"""The newest result of every asset check, read from Dagster's tables: importing Dagster would take two seconds.

The table is Dagster's own; a test writes checks through Dagster and reads them here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from trade_pipeline.observe.values import FailedCheck

_NEWEST = """
SELECT DISTINCT ON (asset_key, check_name) asset_key, check_name, execution_status, evaluation_event, create_timestamp
FROM asset_check_executions WHERE execution_status <> 'PLANNED'
ORDER BY asset_key, check_name, id DESC
"""
_OF_RUN = """
SELECT asset_key, check_name, execution_status, evaluation_event, create_timestamp
FROM asset_check_executions WHERE run_id = :run_id ORDER BY id
"""


def failed_checks(ledger_url: str) -> list[FailedCheck]:
    """Checks whose newest result is a failure. Raises LedgerUnavailable."""
    return [_failure(row) for row in _rows(ledger_url, _NEWEST) if row["execution_status"] == "FAILED"]


def checks_of_run(ledger_url: str, run_id: str) -> list[dict[str, str]]:
    """asset, check, status and what it said, of every check of a run. Raises LedgerUnavailable."""
    return [
        {
            "asset": "/".join(json.loads(row["asset_key"])),
            "check": row["check_name"],
            "status": row["execution_status"],
            "what": _description(row["evaluation_event"]),
        }
        for row in _rows(ledger_url, _OF_RUN, run_id=run_id)
    ]


def _rows(ledger_url: str, query: str, **values: str) -> Sequence[Mapping[Any, Any]]:
    from sqlalchemy import text

    from trade_pipeline.ledger.database import Database

    database = Database(ledger_url)
    try:
        with database.transaction() as connection:
            if connection.execute(text("SELECT to_regclass('public.asset_check_executions')")).scalar() is None:
                return []
            return connection.execute(text(query), values).mappings().all()
    finally:
        database.close()


def _failure(row: Mapping[Any, Any]) -> FailedCheck:
    at = row["create_timestamp"]
    return FailedCheck(
        asset="/".join(json.loads(row["asset_key"])),
        check=row["check_name"],
        at=at.replace(tzinfo=UTC) if isinstance(at, datetime) and at.tzinfo is None else at,
        what=_description(row["evaluation_event"]),
    )


def _description(stored: str | None) -> str:
    """The check's sentence, wherever this release of Dagster keeps it within the stored event."""
    try:
        event = json.loads(stored) if stored else None
    except ValueError:
        return ""
    data = _find(event, "event_specific_data") or event
    found = _find(data, "description")
    return found if isinstance(found, str) else ""


def _find(node: object, key: str) -> object:
    if isinstance(node, dict):
        if node.get(key) is not None:
            return node[key]
        return next((found for value in node.values() if (found := _find(value, key)) is not None), None)
    if isinstance(node, list):
        return next((found for value in node if (found := _find(value, key)) is not None), None)
    return None
