"""The Celery app of the workers: imports the code location once, so that every run starts warm.

Run by `celery -A trade_pipeline.runtime.celery_app worker --queues QUEUE`. A run is a forked child of a process that
holds the definitions already. The definitions must not compute or connect at import: a child of such a parent hangs.
"""

from __future__ import annotations

import os
import traceback
from typing import Any

from celery import bootsteps
from celery.signals import worker_init, worker_ready
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_execute_job_task

from trade_pipeline.runtime.celery_settings import DEFAULT_QUEUE, NICENESS, app_arguments
from trade_pipeline.runtime.environment import DEFINITIONS
from trade_pipeline.runtime.readiness import BEAT_S, beat, say_ready
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import settings_in_force
from trade_pipeline.settings.protect import protect_from_environment

protect_from_environment()
_home = Home.at(os.environ["TRADE_PIPELINE_HOME"])
_module = os.environ.get(DEFINITIONS, "trade_pipeline.definitions")
_queue = os.environ.get("TRADE_PIPELINE_QUEUE", DEFAULT_QUEUE)

_runtime = settings_in_force(_home).runtime

app = make_app(  # type: ignore[no-untyped-call]  # dagster_celery ships no types
    app_arguments(os.environ, _queue, tasks_max=_runtime.worker_tasks_max, memory_mb_max=_runtime.worker_memory_mb_max)
)
# make_app lists one queue named "dagster"; without a list a worker serves the queues that its command names.
app.conf.task_queues = None
# No task to resume runs: a decision is made again by the next bar, never continued.
execute_job = create_execute_job_task(app)


class Beats(bootsteps.StartStopStep):  # type: ignore[misc]  # as below
    """Signs of life from the loop that takes runs: one that stands still gives none. Renewed with every connection."""

    def start(self, parent: Any) -> None:
        beat(_home)
        parent.timer.call_repeatedly(BEAT_S, beat, (_home,))


app.steps["consumer"].add(Beats)


@worker_init.connect  # type: ignore[untyped-decorator]  # celery ships no types
def warm_up(**_: Any) -> None:
    """Builds the repository and its jobs in the parent, so that a run's child inherits them, and its niceness."""
    from dagster._core.definitions.reconstruct import repository_def_from_target_def
    from dagster._core.workspace.autodiscovery import loadable_targets_from_python_module

    try:
        (target,) = loadable_targets_from_python_module(_module, working_directory=None)
        repository = repository_def_from_target_def(target.target_definition)
        assert repository is not None, f"{_module} holds no definitions"
        repository.load_all_definitions()
    except Exception as error:
        # Celery swallows what a signal's receiver raises, and the worker would take runs that cannot load.
        traceback.print_exc()
        raise SystemExit(1) from error
    os.nice(NICENESS.get(_queue, 0))  # only now: until it is ready, the start of the stack waits for it


@worker_ready.connect  # type: ignore[untyped-decorator]  # celery ships no types
def report_ready(**_: Any) -> None:
    say_ready(_home)
