"""Breakers and locks beside what is written once about them: each change of a breaker is an event, each lock's end a
row of `lock_ends`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from sqlalchemy import Connection, text

from trade_pipeline.ledger.columns import SCHEMA
from trade_pipeline.ledger.findings import NAMED_MAX, Finding
from trade_pipeline.ledger.watching import NO_NEWS

_TOLD = ("scope", "dimension", "reason", "stage", "opened_at")
"""What an event tells of the breaker itself; the rest of it is the breaker's detail."""
_BREAKERS = f"""
SELECT coalesce(e.account, b.account) AS account, coalesce(e.scope, b.scope) AS scope, e.id, e.at AS told_at,
       e.kind, e.detail AS told, b IS NULL AS gone, b.state, b.dimension, b.reason, b.opened_at, b.changed_at, b.stage,
       b.detail
FROM (SELECT DISTINCT ON (account, detail->>'scope') *, detail->>'scope' AS scope FROM {SCHEMA}.events
      WHERE kind IN ('breaker_open', 'breaker_half_open', 'breaker_closed')
      ORDER BY account, detail->>'scope', id DESC) AS e
FULL JOIN {SCHEMA}.breakers AS b ON b.account = e.account AND b.scope = e.scope
ORDER BY 1, 2
"""  # noqa: S608  the schema is a constant
_LOCKS = f"""
SELECT l.id, l.account, l.strategy, l.symbol, l.unlocked_at, e.at FROM {SCHEMA}.locks AS l
LEFT JOIN {SCHEMA}.lock_ends AS e ON e.lock_id = l.id WHERE l.unlocked_at IS DISTINCT FROM e.at ORDER BY l.id
"""  # noqa: S608  the schema is a constant


def notes_differ(connection: Connection) -> Iterator[Finding]:
    yield from islice(_breakers(connection), NAMED_MAX)
    yield from islice(_locks(connection), NAMED_MAX)


def _breakers(connection: Connection) -> Iterator[Finding]:
    for row in connection.execute(text(_BREAKERS)):
        place = f"breakers {row.account} {row.scope}"
        if row.gone:
            yield Finding("row removed", place, f"event {row.id} says that it is {_state(row.kind)}")
        elif row.id is None:
            yield Finding("row inserted", place, "no event tells of it")
        elif differing := sorted(name for name, same in _compared(row).items() if not same):
            detail = f"it is not what event {row.id} ({_state(row.kind)}) says: {', '.join(differing)}"
            yield Finding("row changed", place, detail)


def _compared(row: Any) -> dict[str, bool]:
    """Column -> whether it is what the breaker's last event says."""
    opened_at = None if row.opened_at is None else row.opened_at.isoformat()
    return {
        "state": row.state == _state(row.kind),
        "dimension": row.dimension == row.told.get("dimension"),
        "reason": row.reason == row.told.get("reason"),
        "stage": row.stage == row.told.get("stage"),
        # Events did not always tell when it opened.
        "opened_at": opened_at == row.told.get("opened_at", opened_at),
        "changed_at": row.changed_at == row.told_at,
        "detail": _rest(row.detail) == _rest(row.told),
    }


def _rest(detail: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in detail.items() if name not in NO_NEWS and name not in _TOLD}


def _state(kind: str) -> str:
    return kind.removeprefix("breaker_").upper()


def _locks(connection: Connection) -> Iterator[Finding]:
    for row in connection.execute(text(_LOCKS)):
        place = f"locks {row.id} ({row.account} {row.strategy} {row.symbol})"
        detail = f"it says that it was lifted at {row.unlocked_at}, its end at {row.at}"
        yield Finding("row changed", place, detail)
