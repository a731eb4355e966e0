"""When each process of a stack last did what it owes: asked, or read from what it leaves behind. No decisions here.

Dagster's tables are read by SQL, because importing Dagster would cost `up` two seconds and 100 MB; the tests write them
through Dagster. What a person has switched off is owed by nobody and counts as seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger.database import Database
from trade_pipeline.runtime import watchdog
from trade_pipeline.runtime.health import Surroundings, http_json, is_ready
from trade_pipeline.runtime.processes import Process
from trade_pipeline.runtime.readiness import last_beat
from trade_pipeline.runtime.supervise import ProcessState

DECIDING_SCHEDULE = "bar_close"
_NO_QUESTION = ("running", "said")

_INSTIGATORS = "SELECT selector_id, status, instigator_type, instigator_body FROM instigators"
_TICK = "SELECT max(timestamp) FROM job_ticks WHERE selector_id = :selector"
_BARS = """
SELECT timestamp FROM event_logs WHERE asset_key = '["raw_bars"]' AND partition >= :since
AND dagster_event_type = 'ASSET_MATERIALIZATION' ORDER BY id DESC LIMIT 1
"""
_DECISION = "SELECT max(as_of) FROM ledger.decisions WHERE account = :account"
_THERE = "SELECT to_regclass('public.instigators') IS NOT NULL AND to_regclass('public.event_logs') IS NOT NULL"


def answers(
    processes: list[Process], states: Mapping[str, ProcessState], stack: Surroundings, now: datetime
) -> dict[str, datetime]:
    """Servers that answer now, workers and guard by their newest beat; each question takes a second at most."""
    found: dict[str, datetime] = {}
    for process in processes:
        state = states.get(process.name)
        if process.ready == "said" or process.name == "guard":
            beat = last_beat(stack.home, process.name)
            found |= {process.name: beat} if beat else {}
        elif process.ready not in _NO_QUESTION and state is not None and state.alive:
            answers_now = is_ready(process.ready, process.name, state.process_id, stack)
            found |= {process.name: now} if answers_now else {}
    return found


def newest_candle(exchange_url: str, now: datetime) -> dict[str, datetime]:
    """When the newest minute that the simulated exchange shows began to close; empty if it does not answer."""
    symbols = http_json(f"{exchange_url}/api/v3/ticker/price")
    if not isinstance(symbols, list) or not symbols:
        return {}
    rows = http_json(f"{exchange_url}/api/v3/klines?symbol={symbols[0]['symbol']}&interval=1m&limit=1")
    if not isinstance(rows, list) or not rows:
        return {}
    begins = datetime.fromtimestamp(int(rows[-1][0]) / 1000, UTC)
    return {watchdog.CANDLES: min(begins + timedelta(minutes=1), now)}


def work(database: Database, account: str, now: datetime, *, switched_on: bool) -> dict[str, datetime]:
    """Newest tick, sensor evaluation, bars and decision.

    Everything counts as seen while the database is away: it shows nothing, and no restart of others helps.
    `switched_on`: whether schedules and sensors run before anybody has touched them.
    """
    try:
        with database.transaction() as connection:
            return dict(_work(connection, account, now, switched_on))
    except LedgerError:
        return dict.fromkeys((watchdog.TICKS, watchdog.SENSORS, watchdog.BARS, watchdog.DECISIONS), now)


def _work(connection: Connection, account: str, now: datetime, switched_on: bool) -> Iterator[tuple[str, datetime]]:
    if not connection.execute(text(_THERE)).scalar():
        return
    instigators = [_Instigator(*row) for row in connection.execute(text(_INSTIGATORS))]
    schedule = next((item for item in instigators if item.name == DECIDING_SCHEDULE), None)
    if schedule is None and switched_on:
        return  # the daemon has not begun: nothing was seen
    if schedule is None or schedule.is_off:
        yield from ((name, now) for name in (watchdog.TICKS, watchdog.BARS, watchdog.DECISIONS))
    else:
        yield from _seen(watchdog.TICKS, connection.execute(text(_TICK), {"selector": schedule.selector}).scalar())
        since = f"{now - timedelta(days=1):%Y-%m-%d}"
        yield from _seen(watchdog.BARS, connection.execute(text(_BARS), {"since": since}).scalar())
        yield from _seen(watchdog.DECISIONS, connection.execute(text(_DECISION), {"account": account}).scalar())
    evaluated = [item.evaluated_at for item in instigators if item.kind == "SENSOR" and not item.is_off]
    if not evaluated:
        yield watchdog.SENSORS, now
    elif None not in evaluated:
        yield from _seen(watchdog.SENSORS, min(moment for moment in evaluated if moment is not None))


def _seen(name: str, moment: datetime | None) -> Iterator[tuple[str, datetime]]:
    if moment is not None:
        yield name, moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


class _Instigator:
    """A schedule or sensor as Dagster's daemon keeps it."""

    def __init__(self, selector: str, status: str, kind: str, body: str) -> None:
        self.selector, self.kind = selector, kind
        self.is_off = status == "STOPPED"
        kept: Mapping[str, Any] = json.loads(body)
        self.name: str = (kept.get("origin") or {}).get("job_name", "")
        at = (kept.get("job_specific_data") or {}).get("last_tick_timestamp")
        self.evaluated_at = datetime.fromtimestamp(at, UTC) if at else None
