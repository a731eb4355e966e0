"""Runs go through the broker to warm workers, to the right queue, and a dead worker is noticed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from trade_pipeline.runtime.health import Surroundings
from trade_pipeline.runtime.launcher import BACKFILL_TAG, queue_of
from trade_pipeline.runtime.stack import Stack
from trade_pipeline_tests.runtime.stacks import awaited

_CLIENT = """
import sys, time
import dagster as dg
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from trade_pipeline.runtime.environment import REPOSITORY

def launch(instance, context, job, tags):
    from dagster_graphql.client.query import LAUNCH_PIPELINE_EXECUTION_MUTATION
    location = context.get_code_location("trading")
    repository = location.get_repository("__repository__")
    remote = repository.get_full_job(job)
    plan = location.get_execution_plan(remote, {}, None, None, instance)
    run = instance.create_run(
        job_name=job, run_id=None, run_config={}, resolved_op_selection=None, status=dg.DagsterRunStatus.NOT_STARTED,
        tags={**remote.tags, **tags}, root_run_id=None, parent_run_id=None, step_keys_to_execute=None,
        job_snapshot=remote.job_snapshot, execution_plan_snapshot=plan.execution_plan_snapshot,
        parent_job_snapshot=None, remote_job_origin=remote.get_remote_origin(),
        job_code_origin=remote.get_python_origin(), asset_selection=None, asset_check_selection=None,
        op_selection=None, asset_graph=repository.asset_graph,
    )
    instance.submit_run(run.run_id, context)
    return run.run_id

with dg.DagsterInstance.get() as instance:
    with WorkspaceProcessContext(instance, WorkspaceFileTarget([str(REPOSITORY / "workspace.yaml")])) as process:
        BODY
"""


def client(surroundings: Surroundings, body: str) -> str:
    """Output of a program that uses the same instance, as Dagster's own commands would."""
    program = _CLIENT.replace("BODY", textwrap.indent(textwrap.dedent(body), "        ").strip())
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=dict(surroundings.environment),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


@pytest.mark.stack
def test_the_sensor_s_run_succeeds_in_a_child_of_the_worker(running: tuple[Stack, Surroundings]) -> None:
    stack, surroundings = running
    worker = stack.states()["worker_decide"].process_id
    children = {child.pid for child in psutil.Process(worker).children()}
    found = client(
        surroundings,
        """
        deadline = time.monotonic() + 60
        runs = []
        while not runs and time.monotonic() < deadline:
            runs = [run for run in instance.get_runs() if run.status == dg.DagsterRunStatus.SUCCESS]
            time.sleep(0.1)
        messages = [event.user_message for event in instance.all_logs(runs[0].run_id)]
        print(runs[0].job_name, next(text for text in messages if text.startswith("process ")))
        """,
    )
    words = found.split()
    assert words[0] == "quick"
    assert int(words[4]) == worker
    assert int(words[2]) in children


@pytest.mark.stack
def test_what_a_backfill_starts_goes_to_the_history_queue_whatever_its_job_says(
    running: tuple[Stack, Surroundings],
) -> None:
    _, surroundings = running
    found = client(
        surroundings,
        f"""
        run_id = launch(instance, process.create_request_context(), "quick", {{"{BACKFILL_TAG}": "b1"}})
        deadline = time.monotonic() + 60
        while not instance.get_run_by_id(run_id).is_finished and time.monotonic() < deadline:
            time.sleep(0.1)
        run = instance.get_run_by_id(run_id)
        print(run.status.value, run.tags["dagster-celery/queue"])
        """,
    )
    assert found == "SUCCESS history"


@pytest.mark.stack
def test_a_run_whose_worker_is_killed_is_marked_failed(running: tuple[Stack, Surroundings]) -> None:
    stack, surroundings = running
    worker = stack.states()["worker_execute"].process_id
    run_id = client(
        surroundings,
        """
        run_id = launch(instance, process.create_request_context(), "slow", {})
        deadline = time.monotonic() + 60
        while instance.get_run_by_id(run_id).status != dg.DagsterRunStatus.STARTED and time.monotonic() < deadline:
            time.sleep(0.05)
        print(run_id)
        """,
    )
    for process in [*psutil.Process(worker).children(recursive=True), psutil.Process(worker)]:
        os.kill(process.pid, signal.SIGKILL)
    found = client(
        surroundings,
        f"""
        deadline = time.monotonic() + 120
        while not instance.get_run_by_id("{run_id}").is_finished and time.monotonic() < deadline:
            time.sleep(0.2)
        print(instance.get_run_by_id("{run_id}").status.value)
        """,
    )
    assert found == "FAILURE"
    awaited(lambda: stack.states()["worker_execute"].alive, 60, "the worker is back")


def test_the_queue_of_a_run_is_its_tag_unless_a_backfill_started_it() -> None:
    assert queue_of({"dagster-celery/queue": "decide"}) == "decide"
    assert queue_of({"dagster-celery/queue": "decide", BACKFILL_TAG: "b"}) == "history"
    assert queue_of({}) == "history"


def test_the_repository_is_dagster_s_home_and_stays_clean() -> None:
    root = Path(__file__).resolve().parents[2]
    assert (root / "dagster.yaml").exists()
    assert not (root / "storage").exists()
    assert not (root / "history").exists()
