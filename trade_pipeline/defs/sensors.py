"""Sensors that start the execution of a decision, as soon as it is approved.

They wait for it: an evaluation polls the event log until the bar clock ends it, the first sensor's ten times a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from trade_pipeline.defs.bar_clock import ENDS_S, TWIN_ENDS_S, poll_deadline
from trade_pipeline.defs.execute import execute
from trade_pipeline.defs.gate import APPROVED, decision_of
from trade_pipeline.defs.run_time import AS_OF_TAG, DECIDE_JOB, DECISION_TAG, MODE_TAG
from trade_pipeline.defs.schedules import SENSOR_STATUS

POLL_S = 0.1
TWIN_POLL_S = 0.5
"""The second sensor stands back anyway: looking as often as the first one would only take processor time."""
TWIN_STANDS_BACK_S = 1.0
"""How long the second sensor leaves a decision to the first one: every run that loses its claim costs processor time
just when orders are being sent."""
RECORDS_MAX = 20
ENDED_BADLY = frozenset({dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED})


@dataclass(frozen=True, slots=True)
class Poll:
    """What a look at the event log found: requests, and up to where it has been read."""

    requests: tuple[dg.RunRequest, ...]
    cursor: int


def look(instance: dg.DagsterInstance, cursor: int) -> Poll:
    """Decisions approved since `cursor`; of several only the newest, because only that one may be executed."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=APPROVED, after_storage_id=cursor), limit=RECORDS_MAX, ascending=True
    )
    newest: dg.RunRequest | None = None
    for record in found.records:
        newest = _request(instance, record) or newest
    seen = max((record.storage_id for record in found.records), default=cursor)
    return Poll((newest,) if newest else (), seen)


def newest_record(instance: dg.DagsterInstance) -> int:
    """Where a sensor without a cursor begins: what was approved before it existed is past."""
    found = instance.fetch_materializations(APPROVED, limit=1)
    return found.records[0].storage_id if found.records else 0


def _request(instance: dg.DagsterInstance, record: dg.EventLogRecord) -> dg.RunRequest | None:
    """A run of `execute` for a decision that a run of `decide` approved; None for anybody else's."""
    run = instance.get_run_by_id(record.run_id)
    decision_id = decision_of(record)
    if run is None or run.job_name != DECIDE_JOB or decision_id is None:
        return None
    tags = {name: run.tags[name] for name in (AS_OF_TAG, MODE_TAG) if name in run.tags}
    return dg.RunRequest(
        run_key=decision_id,
        run_config={"ops": {"execute_decision": {"config": {"decision_id": decision_id}}}},
        tags={DECISION_TAG: decision_id, **tags},
    )


def wait_for_approval(
    context: dg.SensorEvaluationContext,
    ends_s: Sequence[int],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
    stand_back_s: float = 0.0,
    poll_s: float = POLL_S,
) -> dg.SensorResult:
    """Look until there is something or the bar clock says that it is time to end.

    What is found is asked for after `stand_back_s`, and then only what nobody else has asked for meanwhile.
    """
    deadline = poll_deadline(now(), ends_s)
    cursor = int(context.cursor) if context.cursor else newest_record(context.instance)
    while True:
        poll = look(context.instance, cursor)
        cursor = poll.cursor
        requests = list(poll.requests)
        if requests and stand_back_s:
            sleep(stand_back_s)
            requests = [request for request in requests if not is_asked_for(context.instance, request)]
        if requests or now() >= deadline:
            return dg.SensorResult(run_requests=requests, cursor=str(cursor))
        sleep(poll_s)


def is_asked_for(instance: dg.DagsterInstance, request: dg.RunRequest) -> bool:
    """Whether somebody's run of the decision is on its way or done. One that failed may not have come to its claim."""
    named = {DECISION_TAG: request.tags[DECISION_TAG]}
    runs = instance.get_runs(dg.RunsFilter(job_name=execute.name, tags=named))
    return any(run.status not in ENDED_BADLY for run in runs)


def _approval_sensor(
    name: str, ends_s: Sequence[int], stand_back_s: float = 0.0, poll_s: float = POLL_S
) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        job=execute,
        minimum_interval_seconds=1,
        default_status=SENSOR_STATUS,
        description="Starts `execute` for every decision that `decide` approves; waits for it around the bar's close.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return wait_for_approval(context, ends_s, stand_back_s=stand_back_s, poll_s=poll_s)

    return sensor


on_approved_targets = _approval_sensor("on_approved_targets", ENDS_S)
on_approved_targets_twin = _approval_sensor("on_approved_targets_twin", TWIN_ENDS_S, TWIN_STANDS_BACK_S, TWIN_POLL_S)
