"""Starts runs as tasks of the warm Celery workers, and finds out when a worker has died under one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from dagster import DagsterRun
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._serdes import ConfigurableClassData
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_QUEUE_TAG, DAGSTER_CELERY_TASK_ID_TAG

from trade_pipeline.runtime.celery_settings import DEFAULT_QUEUE, app_arguments

BACKFILL_TAG = "dagster/backfill"
_MISSES_MAX = 4


class TradeRunLauncher(CeleryRunLauncher):
    """CeleryRunLauncher with our queues, and a health check that does not believe Celery's STARTED for ever."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        arguments = app_arguments(os.environ)
        super().__init__(
            default_queue=DEFAULT_QUEUE,
            broker=arguments["broker"],
            backend=arguments["backend"],
            include=[],
            config_source=arguments["config_source"],
            inst_data=inst_data,
        )
        self._misses: dict[str, int] = {}

    @classmethod
    def config_type(cls) -> dict[str, object]:
        # Nothing to set in dagster.yaml: both sides of the broker read `celery_settings`.
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Any:
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_resume_run(self) -> bool:
        # It raises in practice, and a decision must not be continued with yesterday's bars.
        return False

    def launch_run(self, context: LaunchRunContext) -> None:
        run = context.dagster_run
        queue = queue_of(run.tags)
        if run.tags.get(DAGSTER_CELERY_QUEUE_TAG) != queue:
            self._instance.add_run_tags(run.run_id, {DAGSTER_CELERY_QUEUE_TAG: queue})
            run = run.with_tags({**run.tags, DAGSTER_CELERY_QUEUE_TAG: queue})
            context = LaunchRunContext(dagster_run=run, workspace=context.workspace)
        super().launch_run(context)

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Celery leaves a task STARTED when its worker is killed, and knows nothing after a broker's restart.

        So the workers are asked what they are doing. Only an answer counts as proof at once; silence has to last,
        because a busy machine answers late.
        """
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id is None:
            return CheckRunHealthResult(WorkerStatus.UNKNOWN, "The run has not been handed to the broker.")
        result = super().check_run_worker_health(run)
        if result.status in (WorkerStatus.SUCCESS, WorkerStatus.FAILED):
            self._misses.pop(run.run_id, None)
            return result
        working = self._task_is_running(task_id, queue_of(run.tags))
        if working:
            self._misses.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        if working is None:
            misses = self._misses[run.run_id] = self._misses.get(run.run_id, 0) + 1
            if misses < _MISSES_MAX:
                return CheckRunHealthResult(WorkerStatus.RUNNING)
        # It may have ended between the two questions.
        again = super().check_run_worker_health(run)
        self._misses.pop(run.run_id, None)
        if again.status in (WorkerStatus.SUCCESS, WorkerStatus.FAILED):
            return again
        return CheckRunHealthResult(WorkerStatus.FAILED, "The worker that had this run is gone.")

    def _task_is_running(self, task_id: str, queue: str) -> bool | None:
        """True or False by a worker's own word; None when the queue's worker did not answer."""
        try:
            answers = self.celery.control.inspect(timeout=1.0).active() or {}
        except Exception:  # the broker is away: kombu and redis raise many kinds, and all mean "nobody answered"
            return None
        if any(task["id"] == task_id for tasks in answers.values() for task in tasks):
            return True
        return False if any(worker.split("@")[0] == queue for worker in answers) else None


def queue_of(tags: Mapping[str, str]) -> str:
    """Backfills go to `history` whatever their job says: a backfill of a live job inherits the live queue's tag."""
    if BACKFILL_TAG in tags:
        return DEFAULT_QUEUE
    return tags.get(DAGSTER_CELERY_QUEUE_TAG, DEFAULT_QUEUE)
