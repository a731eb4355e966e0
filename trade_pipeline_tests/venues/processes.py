"""Several processes that spend one budget at the same time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any

SPAWN = multiprocessing.get_context("spawn")


def sent_together(work: Callable[[str, float, Any], None], path: Path, seconds: float, count: int) -> list[float]:
    """When `count` processes sent, in order. Each runs `work(path, seconds, told)` and puts its moments into `told`."""
    told: Any = SPAWN.Queue()
    workers = [SPAWN.Process(target=work, args=(str(path), seconds, told)) for _ in range(count)]
    for worker in workers:
        worker.start()
    sent: list[float] = []
    for _ in workers:
        try:
            sent += told.get(timeout=60)
        except Empty:
            raise AssertionError("a process did not end") from None
    for worker in workers:
        worker.join(timeout=20)
    return sorted(sent)
