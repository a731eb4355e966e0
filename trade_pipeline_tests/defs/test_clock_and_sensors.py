"""Days, windows, poll deadlines, and what the approval sensors ask for."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from trade_pipeline.definitions import defs
from trade_pipeline.defs.bar_clock import ENDS_S, TWIN_ENDS_S, poll_deadline
from trade_pipeline.defs.partitions import partition_of, window_of
from trade_pipeline.defs.run_time import AS_OF_TAG, DECISION_TAG, RunTime, parse_time
from trade_pipeline.defs.schedules import bar_close
from trade_pipeline.defs.sensors import TWIN_STANDS_BACK_S, look, newest_record, wait_for_approval

MIDNIGHT = datetime(2024, 5, 2, tzinfo=UTC)
FLOOR_S = 5


def test_the_bar_that_closes_at_midnight_belongs_to_the_day_before() -> None:
    assert partition_of(MIDNIGHT) == "2024-05-01"
    assert partition_of(MIDNIGHT + timedelta(minutes=1)) == "2024-05-02"


def test_a_window_starts_at_the_same_bar_however_late_it_is_asked_for() -> None:
    early = window_of("2024-05-01", MIDNIGHT - timedelta(hours=20), 600)
    late = window_of("2024-05-01", MIDNIGHT + timedelta(days=3), 600)
    assert early.start == late.start == MIDNIGHT - timedelta(days=1, minutes=600)
    assert late.as_of == MIDNIGHT
    assert early.dates == late.dates == ["2024-04-30", "2024-05-01"]


def test_days_that_have_not_begun_have_no_window() -> None:
    moment = RunTime(MIDNIGHT, tagged=True)
    assert [window.day for window in moment.windows(["2024-05-02", "2024-05-01"], 10)] == ["2024-05-01"]
    assert moment.is_live(["2024-05-01"])
    assert not moment.is_live(["2024-05-02"])
    assert not moment.is_live(["2024-04-30", "2024-05-01"])


def test_times_without_zone_are_utc() -> None:
    assert parse_time("2024-05-02T00:00:00") == parse_time("2024-05-02T02:00:00+02:00") == MIDNIGHT


def test_a_poll_is_always_in_flight_whatever_the_moment_of_its_start() -> None:
    """Simulates both sensors with the daemon's floor of 5 s between evaluations, second by second."""
    flying: dict[int, set[str]] = {second: set() for second in range(0, 240)}
    for name, ends in (("first", ENDS_S), ("twin", TWIN_ENDS_S)):
        moment = MIDNIGHT
        while moment < MIDNIGHT + timedelta(seconds=240):
            deadline = poll_deadline(moment, ends)
            assert deadline - moment <= timedelta(seconds=45)
            first, last = (int((at - MIDNIGHT).total_seconds()) for at in (moment, deadline))
            for second in range(first, min(last, 240)):
                flying[second].add(name)
            moment = deadline + timedelta(seconds=FLOOR_S)
    assert all(flying[second] for second in range(60, 240)), [second for second in flying if not flying[second]]
    close_to_close = [second for second in range(60, 240) if second % 60 < 8 or second % 60 >= 57]
    assert all(flying[second] == {"first", "twin"} for second in close_to_close)


def test_the_schedule_asks_for_the_bar_of_its_nominal_minute() -> None:
    context = dg.build_schedule_context(scheduled_execution_time=MIDNIGHT, repository_def=defs.get_repository_def())
    (request,) = bar_close.evaluate_tick(context).run_requests or []
    assert request.partition_key == "2024-05-01"
    assert request.tags[AS_OF_TAG] == MIDNIGHT.isoformat()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as running:
        yield running


def approve(instance: dg.DagsterInstance, decision_id: str, job: str = "decide") -> None:
    @dg.asset(name="approved_targets")
    def asset(context: dg.AssetExecutionContext) -> None:
        context.add_output_metadata({"decision_id": decision_id})

    small = dg.Definitions(
        assets=[asset], jobs=[dg.define_asset_job(job, selection="*", executor_def=dg.in_process_executor)]
    )
    small.resolve_job_def(job).execute_in_process(instance=instance, tags={AS_OF_TAG: MIDNIGHT.isoformat()})


def test_the_newest_approval_is_asked_for_once(instance: dg.DagsterInstance) -> None:
    approve(instance, "old")
    approve(instance, "new")
    poll = look(instance, 0)
    (request,) = poll.requests
    assert request.run_key == "new"
    assert request.tags[DECISION_TAG] == "new"
    assert request.tags[AS_OF_TAG] == MIDNIGHT.isoformat()
    assert request.run_config["ops"]["execute_decision"]["config"] == {"decision_id": "new"}
    assert look(instance, poll.cursor).requests == ()


def test_a_backfill_or_a_run_by_hand_asks_for_nothing(instance: dg.DagsterInstance) -> None:
    approve(instance, "by hand", job="somebody_else")
    assert look(instance, 0).requests == ()


def test_a_sensor_without_cursor_begins_with_what_comes_next(instance: dg.DagsterInstance) -> None:
    approve(instance, "past")
    start = newest_record(instance)
    assert look(instance, start).requests == ()
    approve(instance, "next")
    assert [request.run_key for request in look(instance, start).requests] == ["next"]


def test_the_wait_ends_as_soon_as_there_is_something(instance: dg.DagsterInstance) -> None:
    moments = iter([MIDNIGHT + timedelta(seconds=second) for second in range(11, 60)])
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == 3:
            approve(instance, "d1")

    context = dg.build_sensor_context(instance=instance, cursor="0")
    result = wait_for_approval(context, ENDS_S, now=lambda: next(moments), sleep=sleep)
    assert [request.run_key for request in result.run_requests or []] == ["d1"]
    assert len(sleeps) == 3
    assert int(str(result.cursor)) > 0


def test_the_wait_ends_by_the_bar_clock_when_nothing_comes(instance: dg.DagsterInstance) -> None:
    moments = iter([MIDNIGHT + timedelta(seconds=second) for second in range(11, 60)])
    context = dg.build_sensor_context(instance=instance, cursor="0")
    result = wait_for_approval(context, ENDS_S, now=lambda: next(moments), sleep=lambda _: None)
    assert not result.run_requests
    assert next(moments) == MIDNIGHT + timedelta(seconds=26)


@pytest.mark.parametrize(
    ("status", "asked"),
    [(None, ["d1"]), (dg.DagsterRunStatus.STARTED, []), (dg.DagsterRunStatus.FAILURE, ["d1"])],
    ids=["nobody asked", "somebody's run is on its way", "somebody's run has failed"],
)
def test_the_second_sensor_asks_for_what_nobody_else_has_asked_for(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus | None, asked: list[str]
) -> None:
    approve(instance, "d1")
    moments = iter([MIDNIGHT + timedelta(seconds=second) for second in range(11, 60)])
    stood_back: list[float] = []

    def sleep(seconds: float) -> None:
        if seconds == TWIN_STANDS_BACK_S:
            stood_back.append(seconds)
            if status is not None:
                tags = {DECISION_TAG: "d1"}
                instance.add_run(dg.DagsterRun(job_name="execute", run_id="r1", status=status, tags=tags))

    context = dg.build_sensor_context(instance=instance, cursor="0")
    result = wait_for_approval(context, ENDS_S, now=lambda: next(moments), sleep=sleep, stand_back_s=TWIN_STANDS_BACK_S)
    assert [request.run_key for request in result.run_requests or []] == asked
    assert len(stood_back) == 1


def test_both_sensors_start_the_same_job() -> None:
    for name in ("on_approved_targets", "on_approved_targets_twin"):
        assert defs.get_repository_def().get_sensor_def(name).job.name == "execute"
