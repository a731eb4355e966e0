"""What the launcher believes about a run's worker, with a broker that answers as the test says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus

from trade_pipeline.runtime.launcher import TradeRunLauncher

RUN = dg.DagsterRun(
    job_name="decide", run_id="r1", tags={"dagster-celery/task_id": "t1", "dagster-celery/queue": "decide"}
)


@dataclass
class _Result:
    state: str


@dataclass
class FakeCelery:
    """States of task t1 one after the other (the last one stays), and what each worker is doing."""

    states: list[str]
    active_tasks: dict[str, list[dict[str, str]]] | None = field(default_factory=dict)
    broken: bool = False

    @property
    def control(self) -> FakeCelery:
        return self

    def inspect(self, timeout: float) -> FakeCelery:
        assert timeout <= 1.0
        return self

    def active(self) -> dict[str, list[dict[str, str]]] | None:
        if self.broken:
            raise ConnectionError("no broker")
        return self.active_tasks

    def AsyncResult(self, task_id: str) -> _Result:  # noqa: N802  (Celery's name)
        assert task_id == "t1"
        return _Result(self.states.pop(0) if len(self.states) > 1 else self.states[0])


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> TradeRunLauncher:
    monkeypatch.setenv("TRADE_PIPELINE_BROKER_URL", "redis+socket:///nowhere")
    return TradeRunLauncher()


def _status(launcher: TradeRunLauncher, celery: Any, run: dg.DagsterRun = RUN) -> WorkerStatus:
    launcher.celery = celery
    return launcher.check_run_worker_health(run).status


def test_a_run_that_its_worker_names_is_running(launcher: TradeRunLauncher) -> None:
    assert _status(launcher, FakeCelery(["STARTED"], {"decide@stack": [{"id": "t1"}]})) == WorkerStatus.RUNNING


def test_a_run_that_its_restarted_worker_does_not_know_has_failed(launcher: TradeRunLauncher) -> None:
    assert _status(launcher, FakeCelery(["STARTED"], {"decide@stack": []})) == WorkerStatus.FAILED


def test_a_run_that_ended_between_two_questions_has_not_failed(launcher: TradeRunLauncher) -> None:
    assert _status(launcher, FakeCelery(["STARTED", "SUCCESS"], {"decide@stack": []})) == WorkerStatus.SUCCESS


def test_a_broker_that_forgot_the_run_is_overruled_by_the_worker(launcher: TradeRunLauncher) -> None:
    assert _status(launcher, FakeCelery(["PENDING"], {"decide@stack": [{"id": "t1"}]})) == WorkerStatus.RUNNING


@pytest.mark.parametrize("silent", [FakeCelery(["STARTED"], {"history@stack": []}), FakeCelery(["STARTED"], None)])
def test_silence_of_the_queue_s_worker_has_to_last(launcher: TradeRunLauncher, silent: FakeCelery) -> None:
    said = [_status(launcher, silent) for _ in range(4)]
    assert said == [WorkerStatus.RUNNING] * 3 + [WorkerStatus.FAILED]


def test_an_answer_ends_a_silence(launcher: TradeRunLauncher) -> None:
    broken = FakeCelery(["STARTED"], broken=True)
    for _ in range(3):
        assert _status(launcher, broken) == WorkerStatus.RUNNING
    assert _status(launcher, FakeCelery(["STARTED"], {"decide@stack": [{"id": "t1"}]})) == WorkerStatus.RUNNING
    assert _status(launcher, broken) == WorkerStatus.RUNNING


def test_what_celery_knows_to_have_ended_is_believed(launcher: TradeRunLauncher) -> None:
    assert _status(launcher, FakeCelery(["SUCCESS"])) == WorkerStatus.SUCCESS
    assert _status(launcher, FakeCelery(["FAILURE"])) == WorkerStatus.FAILED


def test_a_run_that_never_reached_the_broker_is_unknown(launcher: TradeRunLauncher) -> None:
    assert _status(launcher, FakeCelery(["PENDING"]), dg.DagsterRun(job_name="decide")) == WorkerStatus.UNKNOWN


def test_runs_are_never_resumed(launcher: TradeRunLauncher) -> None:
    assert not launcher.supports_resume_run
