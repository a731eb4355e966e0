"""Who is launched at once and who waits: a decision never does, history is done one run after the other.

A run that is handed to a busy worker counts as starting, and one that starts for longer than `start_timeout_seconds`
is taken for lost: behind a backfill, every other run of history failed. Waiting in Dagster's own queue has no limit,
and the UI shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import DagsterRun, DagsterRunStatus
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._serdes import ConfigurableClassData
from dagster_celery.tags import DAGSTER_CELERY_QUEUE_TAG

from trade_pipeline.runtime.celery_settings import DEFAULT_QUEUE
from trade_pipeline.runtime.launcher import queue_of

LOOK_S = 1
"""How often the daemon looks whether history's worker is free."""


class HistoryWaits(QueuedRunCoordinator):
    """Dagster's queue for history, as many at once as it has workers; the launcher for all else."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(
            max_concurrent_runs=-1,
            tag_concurrency_limits=[{"key": DAGSTER_CELERY_QUEUE_TAG, "value": DEFAULT_QUEUE, "limit": 1}],
            dequeue_interval_seconds=LOOK_S,
            inst_data=inst_data,
        )

    @classmethod
    def config_type(cls) -> dict[str, object]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Any:
        return cls(inst_data=inst_data, **config_value)

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        run = context.dagster_run
        if queue_of(run.tags) == DEFAULT_QUEUE:
            # The limit counts runs by their tag: one that names no queue would never wait.
            self._instance.add_run_tags(run.run_id, {DAGSTER_CELERY_QUEUE_TAG: DEFAULT_QUEUE})
            return super().submit_run(context)
        if run.status == DagsterRunStatus.NOT_STARTED:
            self._instance.launch_run(run.run_id, context.workspace)
        launched = self._instance.get_run_by_id(run.run_id)
        assert launched is not None, "a run that was submitted is in the storage"
        return launched
