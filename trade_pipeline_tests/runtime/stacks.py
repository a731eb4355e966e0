"""Builds real stacks of the small code location in a temporary home, and what tests ask of their processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from trade_pipeline.runtime.environment import DEFINITIONS, make_secrets, prepare_home, stack_environment
from trade_pipeline.runtime.health import Surroundings
from trade_pipeline.runtime.orphans import stop_orphans
from trade_pipeline.runtime.ports import free_port
from trade_pipeline.runtime.processes import RESEARCH, stack_processes
from trade_pipeline.runtime.stack import Stack
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import load_settings, write_settings_in_force

SMALL = "trade_pipeline_tests.runtime.small_location"
OTHERS = frozenset({"exchange", "guard"})
"""Processes of other rooms: the runtime is tested with a code location of its own and without them."""


def prepared(
    folder: Path, *, without: frozenset[str] = frozenset(), definitions: str = SMALL
) -> tuple[Stack, Surroundings]:
    """A stack that is ready to start, less the processes in `without`."""
    home = Home.at(folder)
    overrides: dict[str, object] = {
        "home": str(folder),
        "runtime.ui_port": free_port(),
        "exchange.port": free_port(),
    }
    settings = load_settings(None, overrides=overrides, environ={})
    prepare_home(home)
    write_settings_in_force(home, settings)
    secrets = make_secrets(home, settings, {})
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRADE_PIPELINE", "DAGSTER"))}
    environment = {**clean, **stack_environment(home, settings, secrets, {DEFINITIONS: definitions})}
    surroundings = Surroundings(home, settings, environment)
    # The second location would be a process more for every test here, and is of no use to them.
    left_out = without | {RESEARCH}
    processes = [item for item in stack_processes(home, settings, environment) if item.name not in left_out]
    return Stack(surroundings, processes), surroundings


@contextmanager
def started(folder: Path, *, without: frozenset[str] = frozenset()) -> Iterator[tuple[Stack, Surroundings]]:
    stack, surroundings = prepared(folder, without=without)
    try:
        stack.start()
        yield stack, surroundings
    finally:
        stack.stop_all()
        stop_orphans(surroundings.home)


def awaited(condition: Callable[[], bool], within_s: float, what: str) -> None:
    """Waits for a condition; fails with `what` when it does not come true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.05)


def alive(process_ids: set[int]) -> set[int]:
    """Those that still run; a zombie has ended."""
    found = set()
    for process_id in process_ids:
        try:
            if psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE:
                found.add(process_id)
        except psutil.NoSuchProcess:
            continue
    return found
