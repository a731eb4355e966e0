"""Celery's settings, in one place: the launcher that sends runs and the worker that takes them must agree.

No import of Celery or Dagster here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULT_QUEUE = "history"
"""Backfills and ad-hoc runs carry no queue tag; only live jobs name theirs."""

SOFT_SHUTDOWN_S = {"decide": 3.0, "execute": 8.0, "history": 1.0}
"""How long a stopping worker waits for its run. An execute run has orders in flight; history can be run again."""

NICENESS = {DEFAULT_QUEUE: 15}
"""How far a queue's worker stands back from the processor: history takes what decisions leave."""

_TASKS_MAX_DEFAULT = 500
_MEMORY_MB_MAX_DEFAULT = 1000


def celery_settings(
    queue: str = DEFAULT_QUEUE, *, tasks_max: int = _TASKS_MAX_DEFAULT, memory_mb_max: int = _MEMORY_MB_MAX_DEFAULT
) -> dict[str, object]:
    """`config_source` of the Celery app on both sides; what is passed here matters to a worker only."""
    return {
        "task_default_queue": DEFAULT_QUEUE,
        "task_default_priority": 5,
        "task_acks_late": False,
        "task_track_started": True,
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        "worker_max_tasks_per_child": tasks_max,
        # In kB. Looked at when a run is over: none is cut off, and the next one has a new child.
        "worker_max_memory_per_child": memory_mb_max * 1024,
        "worker_soft_shutdown_timeout": SOFT_SHUTDOWN_S.get(queue, 1.0),
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "broker_connection_retry_on_startup": True,
        # None: for ever. A broker that is away for minutes must not end the worker.
        "broker_connection_max_retries": None,
        # What the launcher does while the broker is away: fail within seconds, so that the run is marked failed.
        "broker_transport_options": {
            "max_retries": 3,
            "interval_start": 0,
            "interval_step": 0.2,
            "interval_max": 0.5,
            "visibility_timeout": 24 * 3600,
        },
        "result_expires": 3600,
        "redis_socket_connect_timeout": 3,
        "redis_retry_on_timeout": True,
    }


def app_arguments(
    environ: Mapping[str, str],
    queue: str = DEFAULT_QUEUE,
    *,
    tasks_max: int = _TASKS_MAX_DEFAULT,
    memory_mb_max: int = _MEMORY_MB_MAX_DEFAULT,
) -> dict[str, Any]:
    """`app_args` for dagster_celery.make_app."""
    url = environ["TRADE_PIPELINE_BROKER_URL"]
    return {
        "broker": url,
        "backend": url,
        "include": [],
        "config_source": celery_settings(queue, tasks_max=tasks_max, memory_mb_max=memory_mb_max),
        "task_default_queue": DEFAULT_QUEUE,
    }
