"""A worker's child is replaced after so many runs, and once it holds too much; both sides agree on everything else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from billiard.pool import Pool  # type: ignore[import-untyped]

from trade_pipeline.runtime.celery_settings import app_arguments, celery_settings

PAST_EVERYTHING_MB = 100_000
_held: list[bytes] = []


def hold(megabytes: int) -> int:
    """Keeps memory as a leak would; the child that did."""
    _held.append(b"x" * (megabytes * 1024**2))
    return os.getpid()


@contextmanager
def child(settings: dict[str, object]) -> Iterator[Any]:
    """The pool that Celery's worker has, with one child."""
    pool = Pool(
        1,
        maxtasksperchild=settings["worker_max_tasks_per_child"],
        max_memory_per_child=settings["worker_max_memory_per_child"],
    )
    try:
        yield pool
    finally:
        pool.terminate()
        pool.join()


def test_a_child_that_holds_too_much_is_replaced_when_its_run_is_over() -> None:
    with child(celery_settings(memory_mb_max=PAST_EVERYTHING_MB)) as pool:
        assert pool.apply(hold, (50,)) == pool.apply(hold, (1,)), "below the limit it stays"
    with child(celery_settings(memory_mb_max=1)) as pool:
        first = pool.apply(hold, (50,))
        assert pool.apply(hold, (1,)) != first


def test_a_child_is_replaced_after_so_many_runs() -> None:
    with child(celery_settings(tasks_max=2, memory_mb_max=PAST_EVERYTHING_MB)) as pool:
        children = [pool.apply(hold, (1,)) for _ in range(4)]
    assert children[0] == children[1] != children[2] == children[3]


def test_what_a_worker_is_told_of_itself_changes_nothing_else() -> None:
    environ = {"TRADE_PIPELINE_BROKER_URL": "redis://host"}
    worker = app_arguments(environ, "history", tasks_max=3, memory_mb_max=500)["config_source"]
    launcher = app_arguments(environ)["config_source"]
    differs = {name for name in worker if worker[name] != launcher[name]}
    assert differs == {"worker_max_tasks_per_child", "worker_max_memory_per_child"}
