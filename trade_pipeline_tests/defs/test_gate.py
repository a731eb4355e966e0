"""The contract of the gate with Dagster's check records: only this run's own, passed results open it."""

# No postponed annotations here: Dagster reads the type of `context` itself.

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from trade_pipeline.defs.gate import Verdict, judge, materialisation
from trade_pipeline.defs.partitions import DAILY

DAY = "2024-05-01"
REQUIRED = {"data": ("good", "other")}
CHECK = dg.AssetCheckKey(dg.AssetKey("data"), "good")


@dg.asset(partitions_def=DAILY)
def data() -> None: ...


@dg.asset(partitions_def=DAILY, deps=[data])
def approved_targets(context: dg.AssetExecutionContext) -> None:
    context.add_output_metadata({"decision_id": context.run.tags.get("decision", "d1")})


def checks_that(behaviour: str) -> dg.AssetChecksDefinition:
    blocking = behaviour == "passes"
    specs = [
        dg.AssetCheckSpec(name, asset="data", blocking=blocking, partitions_def=None if behaviour == "bare" else DAILY)
        for name in ("good", "other")
    ]

    @dg.multi_asset_check(specs=specs, can_subset=behaviour == "omits")
    def judge_data() -> Iterator[dg.AssetCheckResult]:
        if behaviour == "raises":
            raise RuntimeError("the check broke")
        yield dg.AssetCheckResult(passed=True, check_name="other")
        if behaviour != "omits":
            yield dg.AssetCheckResult(passed=behaviour != "fails", check_name="good")

    return judge_data


def run(instance: dg.DagsterInstance, behaviour: str = "passes", job: str = "decide", decision: str = "d1") -> str:
    """A run of the small job; returns its id. Non-blocking checks let the approval happen in spite of them."""
    definitions = dg.Definitions(
        assets=[data, approved_targets],
        asset_checks=[checks_that(behaviour)],
        jobs=[dg.define_asset_job(job, selection=dg.AssetSelection.all(), executor_def=dg.in_process_executor)],
    )
    result = definitions.resolve_job_def(job).execute_in_process(
        instance=instance, partition_key=DAY, tags={"decision": decision}, raise_on_error=False
    )
    return result.run_id


def ask(instance: dg.DagsterInstance, run_id: str, **changes: object) -> Verdict:
    values: dict[str, object] = {
        "decision_id": "d1",
        "run_id": run_id,
        "day": DAY,
        "required": REQUIRED,
        "now": datetime.now(UTC),
        "age_s_max": 30.0,
    }
    return judge(instance, **(values | changes))  # type: ignore[arg-type]  # a test names only what it is about


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as running:
        yield running


def test_the_gate_opens_when_every_required_check_of_the_run_passed(instance: dg.DagsterInstance) -> None:
    verdict = ask(instance, run(instance))
    assert verdict.is_open, verdict.reasons


@pytest.mark.parametrize(("behaviour", "status"), [("fails", "FAILED"), ("raises", "PLANNED"), ("omits", "PLANNED")])
def test_a_check_that_failed_raised_or_was_left_out_closes_it(
    instance: dg.DagsterInstance, behaviour: str, status: str
) -> None:
    run(instance)  # an earlier run in which everything passed opens nothing
    verdict = ask(instance, run(instance, behaviour))
    assert not verdict.is_open
    assert any(status in reason for reason in verdict.reasons) or behaviour == "raises", verdict.reasons


def test_a_result_forged_through_the_instance_does_not_open_it(instance: dg.DagsterInstance) -> None:
    run_id = run(instance, "fails")
    target = materialisation(instance, dg.AssetKey("data"), run_id, DAY)
    assert target is not None
    judged = AssetCheckEvaluationTargetMaterializationData(
        storage_id=target.storage_id, run_id=run_id, timestamp=target.timestamp
    )
    forged = dg.AssetCheckEvaluation(
        asset_key=CHECK.asset_key,
        check_name=CHECK.name,
        passed=True,
        target_materialization_data=judged,
        partition=DAY,
    )
    instance.report_runless_asset_event(forged)
    newest = instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=1)[0]
    assert newest.run_id == "" and newest.status.value == "SUCCEEDED", "the forgery is what Dagster shows as newest"
    verdict = ask(instance, run_id)
    assert [reason for reason in verdict.reasons if "good is FAILED" in reason]


def test_only_runs_of_decide_count(instance: dg.DagsterInstance) -> None:
    assert "no run of the job" in ask(instance, run(instance, job="by_hand")).reasons[0]
    assert not ask(instance, "").is_open
    assert not ask(instance, "00000000-0000-0000-0000-000000000000").is_open


def test_another_decision_another_day_or_an_old_approval_closes_it(instance: dg.DagsterInstance) -> None:
    run_id = run(instance)
    assert "approved decision d1" in ask(instance, run_id, decision_id="d2").reasons[0]
    assert not ask(instance, run_id, day="2024-05-02").is_open
    late = datetime.now(UTC) + timedelta(seconds=31)
    assert "old" in ask(instance, run_id, now=late).reasons[0]


def test_a_check_that_nobody_ran_closes_it(instance: dg.DagsterInstance) -> None:
    verdict = ask(instance, run(instance), required={"data": ("good", "vanished")})
    assert verdict.reasons == ("check data:vanished has no record of this run",)
    assert not ask(instance, run(instance), required={}).is_open


def test_a_check_without_partitions_would_never_open_it(instance: dg.DagsterInstance) -> None:
    """Why every check of ours declares them."""
    assert not ask(instance, run(instance, "bare")).is_open
