"""The gate: orders that increase exposure need every check of exactly these targets to have passed.

Dagster stops assets below a failed blocking check only inside one run, and its newest check record can be forged
through an HTTP endpoint of the UI. So the gate asks for the record of each check that this very run wrote about
the very materialisation it judged. Whatever is missing closes it. Orders that reduce exposure never ask.

This is the only place that reads Dagster's check records. That reading is not a public interface of Dagster's:
`trade_pipeline_tests/defs/test_gate.py` is its contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from trade_pipeline.defs.run_time import DECIDE_JOB

APPROVED = dg.AssetKey("approved_targets")
HISTORY_ROWS_MAX = 50
"""Newest rows of a check's history that are searched: a row a minute, and a decision lives less than one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reasons` is empty when the gate is open."""

    reasons: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        return not self.reasons


def judge(
    instance: dg.DagsterInstance,
    *,
    decision_id: str,
    run_id: str,
    day: str,
    required: Mapping[str, Sequence[str]],
    now: datetime,
    age_s_max: float,
) -> Verdict:
    """Is the gate open for this decision? `required` names the checks (asset -> check names) that must have passed."""
    return Verdict(tuple(_reasons(instance, decision_id, run_id, day, required, now, timedelta(seconds=age_s_max))))


def _reasons(
    instance: dg.DagsterInstance,
    decision_id: str,
    run_id: str,
    day: str,
    required: Mapping[str, Sequence[str]],
    now: datetime,
    age_max: timedelta,
) -> Iterator[str]:
    run = instance.get_run_by_id(run_id) if run_id else None
    if run is None or run.job_name != DECIDE_JOB:
        yield f"run {run_id or '(none)'} is no run of the job {DECIDE_JOB}"
        return
    approved = materialisation(instance, APPROVED, run_id, day)
    if approved is None:
        yield f"the run materialised no {APPROVED.to_user_string()} of {day}"
        return
    if decision_of(approved) != decision_id:
        yield f"the run approved decision {decision_of(approved)}, not {decision_id}"
    age = now - datetime.fromtimestamp(approved.timestamp, UTC)
    if age > age_max:
        yield f"the approval is {age.total_seconds():.1f} s old, the limit is {age_max.total_seconds():.0f} s"
    if not required:
        yield "no check is required, which cannot be meant"
    for asset, names in required.items():
        target = materialisation(instance, dg.AssetKey(asset), run_id, day)
        for name in names:
            yield from _check_reasons(instance, dg.AssetCheckKey(dg.AssetKey(asset), name), target, run_id, day)


def _check_reasons(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, target: dg.EventLogRecord | None, run_id: str, day: str
) -> Iterator[str]:
    label = f"check {key.asset_key.to_user_string()}:{key.name}"
    if target is None:
        yield f"{label}: the run did not materialise its asset for {day}"
        return
    rows = instance.event_log_storage.get_asset_check_execution_history(
        key, limit=HISTORY_ROWS_MAX, partition_filter=PartitionKeyFilter(key=day)
    )
    mine = [row for row in rows if row.run_id == run_id]
    if not mine:
        yield f"{label} has no record of this run"
    for row in mine:
        yield from (f"{label} {reason}" for reason in _row_reasons(row, target, day))


def _row_reasons(row: AssetCheckExecutionRecord, target: dg.EventLogRecord, day: str) -> Iterator[str]:
    if row.status != AssetCheckExecutionRecordStatus.SUCCEEDED:
        # PLANNED is what a check leaves that raised or was left out.
        yield f"is {row.status.value}, not SUCCEEDED"
        return
    evaluation = row.evaluation
    judged = evaluation.target_materialization_data if evaluation else None
    if evaluation is None or not evaluation.passed or judged is None:
        yield "has no evaluation that passed and names what it judged"
    elif judged.storage_id != target.storage_id:
        yield f"judged materialisation {judged.storage_id}, not {target.storage_id}"
    elif evaluation.partition != day:
        yield f"judged partition {evaluation.partition}, not {day}"


def materialisation(instance: dg.DagsterInstance, key: dg.AssetKey, run_id: str, day: str) -> dg.EventLogRecord | None:
    """The newest materialisation of `key` for `day`, if this run wrote it."""
    found = instance.fetch_materializations(dg.AssetRecordsFilter(asset_key=key, asset_partitions=[day]), limit=5)
    return next((record for record in found.records if record.run_id == run_id), None)


def decision_of(record: dg.EventLogRecord) -> str | None:
    """The decision id in a materialisation's metadata."""
    event = record.asset_materialization
    value = event.metadata.get("decision_id") if event else None
    return str(value.value) if value is not None else None
