"""Seeds played by several processes at once, each with a server and a folder of its own."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from trade_pipeline.faults.play import Played
from trade_pipeline.faults.scenario import make_scenario
from trade_pipeline.faults.stage import Stage, room
from trade_pipeline.runtime.throwaway_postgres import throwaway_postgres

SEEDS_AT_ONCE = 5
"""Handed to a process together: small, so that all of them end at the same time."""

_here: list[Stage] = []
"""The stage of this process, in a process of a crew."""


@contextmanager
def play_on(ledger_url: str | None, jobs: int, seeds: Sequence[int]) -> Iterator[tuple[Stage, Iterator[Played]]]:
    """A stage for single plays, and all seeds as they are played, in their order.

    `ledger_url` None: a throwaway server for each of `jobs` processes. With one job this process plays itself.
    """
    with ExitStack() as stack:
        urls = [ledger_url or stack.enter_context(throwaway_postgres()) for _ in range(jobs)]
        stage = Stage.at(urls[0])
        stack.callback(stage.close)
        if jobs == 1:
            yield stage, (stage.play(make_scenario(seed)) for seed in seeds)
            return
        folders = [Path(tempfile.mkdtemp(prefix="tp-faults-", dir=room())) for _ in urls]
        for folder in folders:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        context = get_context("spawn")
        places = context.SimpleQueue()
        for url, folder in zip(urls, folders, strict=True):
            places.put((url, str(folder)))
        pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_open, initargs=(places,))
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        yield stage, pool.map(_play, seeds, chunksize=SEEDS_AT_ONCE)


def _open(places: SimpleQueue[tuple[str, str]]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The process that has started this one ends it.
    url, folder = places.get()
    _here.append(Stage.at(url, Path(folder)))


def _play(seed: int) -> Played:
    # Traces are long, and a seed can be played again.
    return replace(_here[0].play(make_scenario(seed)), trace=())
