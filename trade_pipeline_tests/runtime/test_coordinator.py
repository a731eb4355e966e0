"""Which runs are launched at once and which wait, on a real instance with a launcher that only writes down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.launcher import LaunchRunContext, RunLauncher
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.run_coordinator import SubmitRunContext
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster_celery.tags import DAGSTER_CELERY_QUEUE_TAG

from trade_pipeline.runtime.coordinator import HistoryWaits
from trade_pipeline.runtime.launcher import BACKFILL_TAG


class NotingLauncher(RunLauncher[Any], ConfigurableClass):
    """Launches nothing and remembers what it should have launched."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self.launched: list[str] = []
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, object]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Any:
        return cls(inst_data=inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        self.launched.append(context.dagster_run.run_id)

    def terminate(self, run_id: str) -> bool:
        return False


ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(GrpcServerCodeLocationOrigin("localhost", socket="/nowhere", location_name="x"), "y"),
    "anything",
)


@dg.job
def anything() -> None:
    """No steps."""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    overrides = {
        "run_launcher": {"module": __name__, "class": "NotingLauncher"},
        "run_coordinator": {"module": "trade_pipeline.runtime.coordinator", "class": "HistoryWaits"},
        "telemetry": {"enabled": False},
    }
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as made:
        yield made


def submitted(instance: dg.DagsterInstance, **tags: str) -> dg.DagsterRun:
    run = instance.create_run_for_job(anything, tags=tags, remote_job_origin=ORIGIN)
    workspace: Any = None  # nobody here looks into it
    return instance.run_coordinator.submit_run(SubmitRunContext(run, workspace))


def next_to_launch(instance: dg.DagsterInstance) -> list[str]:
    """What Dagster's daemon would launch now."""
    daemon = QueuedRunCoordinatorDaemon(interval_seconds=1)
    return [run.run_id for run in daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), None)]


def launched(instance: dg.DagsterInstance) -> list[str]:
    launcher = instance.run_launcher
    assert isinstance(launcher, NotingLauncher)
    return launcher.launched


@pytest.mark.parametrize("queue", ["decide", "execute"])
def test_a_live_run_is_launched_at_once(instance: dg.DagsterInstance, queue: str) -> None:
    run = submitted(instance, **{DAGSTER_CELERY_QUEUE_TAG: queue})
    assert launched(instance) == [run.run_id]
    assert next_to_launch(instance) == []


def test_history_waits_and_comes_one_after_the_other(instance: dg.DagsterInstance) -> None:
    first, second = submitted(instance), submitted(instance, **{DAGSTER_CELERY_QUEUE_TAG: "history"})
    assert launched(instance) == []
    assert (first.status, second.status) == (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.QUEUED)
    assert next_to_launch(instance) == [first.run_id]

    instance.report_engine_event("begins", first)
    instance.handle_run_event(first.run_id, dg.DagsterEvent("PIPELINE_START", anything.name))
    assert next_to_launch(instance) == [], "the worker is busy"
    instance.handle_run_event(first.run_id, dg.DagsterEvent("PIPELINE_SUCCESS", anything.name))
    assert next_to_launch(instance) == [second.run_id]


def test_decisions_do_not_count_as_history(instance: dg.DagsterInstance) -> None:
    live = submitted(instance, **{DAGSTER_CELERY_QUEUE_TAG: "decide"})
    instance.handle_run_event(live.run_id, dg.DagsterEvent("PIPELINE_START", anything.name))
    past = submitted(instance)
    assert next_to_launch(instance) == [past.run_id]


def test_a_backfill_of_a_live_job_waits_like_all_history(instance: dg.DagsterInstance) -> None:
    run = submitted(instance, **{DAGSTER_CELERY_QUEUE_TAG: "decide", BACKFILL_TAG: "b1"})
    assert run.status == dg.DagsterRunStatus.QUEUED
    assert run.tags[DAGSTER_CELERY_QUEUE_TAG] == "history", "else the limit would not count it"
    assert launched(instance) == []


def test_a_run_that_was_submitted_twice_is_launched_once(instance: dg.DagsterInstance) -> None:
    run = submitted(instance, **{DAGSTER_CELERY_QUEUE_TAG: "execute"})
    workspace: Any = None
    known = instance.get_run_by_id(run.run_id)
    assert known is not None
    coordinator = instance.run_coordinator
    assert isinstance(coordinator, HistoryWaits)
    coordinator.submit_run(SubmitRunContext(known.with_status(dg.DagsterRunStatus.STARTING), workspace))
    assert launched(instance) == [run.run_id]
