"""Takes old runs out of Dagster's storage: nothing else ever does, and a decision a minute fills it.

What must last is in the ledger; the verdicts of a decision's checks, which were Dagster's only, are noted there before
their run goes. A run goes only if it has ended, is older than the limit, and is not the newest that computed some day
of some asset: by those the UI shows which days are there, and the repair of history which were computed when.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from sqlalchemy import bindparam, text

from trade_pipeline.ledger.database import Database
from trade_pipeline.ledger.ledger import Ledger

Item = TypeVar("Item")

BATCH_RUNS = 100
"""Runs that are looked up at once; each is deleted in transactions of its own, so that nobody waits for long."""
_KEPT_AT_ONCE = 500

_SIZES = """
SELECT relname AS name, pg_total_relation_size(oid) AS bytes, GREATEST(reltuples, 0)::bigint AS rows
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
_COUNTS = "SELECT (SELECT count(*) FROM runs) AS runs, (SELECT count(*) FROM event_logs) AS events"
# Dagster deletes these rows only together with their asset. The newest of each check stays: it is the check's state.
_OLD_CHECKS = text("""
DELETE FROM asset_check_executions c WHERE c.run_id IN :runs
AND EXISTS (SELECT 1 FROM asset_check_executions n
            WHERE n.asset_key = c.asset_key AND n.check_name = c.check_name AND n.id > c.id)
""").bindparams(bindparam("runs", expanding=True))


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of Dagster's storage: `bytes` is what its tables and indexes occupy, free space within them included."""

    runs: int
    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """One night's work. `left` is True when the time was over before the work was."""

    before: Sizes
    after: Sizes
    runs: int
    checks: int
    decisions_noted: int
    left: bool
    took_s: float


def prune(
    instance: dg.DagsterInstance,
    ledger: Ledger,
    ledger_url: str,
    *,
    before: datetime,
    seconds_max: float,
    monotonic: Callable[[], float] = time.monotonic,
) -> Pruned:
    """Deletes ended runs made before `before` with their events, checks and logs, oldest first, for `seconds_max`.

    Ledger and Dagster's storage are in one database. Raises LedgerUnavailable; what is deleted until then stays so.
    """
    began = monotonic()
    database = Database(ledger_url)
    try:
        return _prune(instance, ledger, database, before, lambda: monotonic() - began, seconds_max)
    finally:
        database.close()


def _prune(
    instance: dg.DagsterInstance,
    ledger: Ledger,
    database: Database,
    before: datetime,
    spent_s: Callable[[], float],
    seconds_max: float,
) -> Pruned:
    sizes = sizes_of(database)
    kept = newest_runs(instance)
    runs = checks = noted = 0
    left = False
    for batch in _batches(instance, before, kept):
        if spent_s() > seconds_max:
            left = True
            break
        noted += note_checks(instance, ledger, batch)
        with database.transaction() as connection:
            checks += connection.execute(_OLD_CHECKS, {"runs": batch}).rowcount
        for run_id in batch:
            instance.delete_run(run_id)
            instance.compute_log_manager.delete_logs(prefix=[run_id])
        runs += len(batch)
    return Pruned(sizes, sizes_of(database), runs, checks, noted, left, spent_s())


def _batches(instance: dg.DagsterInstance, before: datetime, kept: set[str]) -> Iterator[list[str]]:
    """Ids of what may go, oldest first. All are listed before the first goes: pages would shift under the deletion."""
    old = instance.get_run_ids(dg.RunsFilter(statuses=list(FINISHED_STATUSES), created_before=before))
    yield from _pieces([run_id for run_id in reversed(old) if run_id not in kept], BATCH_RUNS)


def note_checks(instance: dg.DagsterInstance, ledger: Ledger, run_ids: Sequence[str]) -> int:
    """Writes into the ledger what the checks of those decisions said from which orders followed. Returns how many."""
    ordered = ledger.ordered_decisions(run_ids)
    for decision in ordered:
        ledger.keep_checks(decision, list(_said(instance, decision.run_id)))
    return len(ordered)


def _said(instance: dg.DagsterInstance, run_id: str) -> Iterator[dict[str, str]]:
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        check = event.asset_check_evaluation_data
        yield {
            "asset": "/".join(check.asset_key.path),
            "check": check.check_name,
            "status": "SUCCEEDED" if check.passed else "FAILED",
            "what": check.description or "",
        }


def newest_runs(instance: dg.DagsterInstance) -> set[str]:
    """Runs that made the newest materialisation of an asset, or of a partition of one."""
    return {run_id for key in instance.all_asset_keys() for run_id in _newest_of(instance, key)}


def _newest_of(instance: dg.DagsterInstance, key: dg.AssetKey) -> Iterator[str]:
    newest = instance.fetch_materializations(key, limit=1).records
    yield from (record.run_id for record in newest)
    by_partition = instance.event_log_storage.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION
    )
    for ids in _pieces(sorted(by_partition.values()), _KEPT_AT_ONCE):
        wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=ids)
        yield from (record.run_id for record in instance.fetch_materializations(wanted, limit=len(ids)).records)


def _pieces(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    for begin in range(0, len(items), size):
        yield list(items[begin : begin + size])


def sizes_of(database: Database) -> Sizes:
    with database.reading() as connection:
        counts = connection.execute(text(_COUNTS)).one()
    return Sizes(counts.runs, counts.events, sum(size for _, size, _ in tables_of(database)))


def tables_of(database: Database) -> Sequence[tuple[str, int, int]]:
    """(name, bytes, rows by the server's estimate) of each table of Dagster's, largest first."""
    with database.reading() as connection:
        found = [(str(row.name), int(row.bytes), int(row.rows)) for row in connection.execute(text(_SIZES))]
    return sorted(found, key=lambda table: -table[1])
