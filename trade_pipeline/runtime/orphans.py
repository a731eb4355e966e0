"""Finds and stops what a supervisor left behind when it was killed itself.

A process belongs to a home by the variables that only our supervisor sets, or, for PostgreSQL and Redis, which
overwrite their environment, by the folder they work in. Nothing else is ever signalled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

import psutil

from trade_pipeline.runtime.environment import PROCESS
from trade_pipeline.settings.home import Home

_SERVERS = ("postgres", "redis-server")
_STOP_S = 6.0


def orphans(home: Home) -> list[psutil.Process]:
    """Processes of this home's stack, ourselves and our ancestors excluded. For use when no supervisor runs."""
    me = psutil.Process()
    spared = {me.pid, *(parent.pid for parent in me.parents())}
    return [process for process in psutil.process_iter() if process.pid not in spared and _belongs(process, home)]


def _belongs(process: psutil.Process, home: Home) -> bool:
    try:
        if process.uids().real != os.getuid() and os.getuid() != 0:
            return False
        if process.name() in _SERVERS:
            return process.cwd() in (str(home.postgres), str(home.redis))
        environment = process.environ()
        return PROCESS in environment and environment.get("TRADE_PIPELINE_HOME") == str(home.root)
    except (psutil.Error, OSError):
        return False


def stop_orphans(home: Home) -> list[str]:
    """Stops them, politely at first. Returns their names, for the log."""
    found = orphans(home)
    names = []
    for process in found:
        with contextlib.suppress(psutil.Error, OSError):
            names.append(f"{process.name()} ({process.pid})")
            # SIGINT is PostgreSQL's fast shutdown; the others end on SIGTERM.
            process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    deadline = time.monotonic() + _STOP_S
    while (left := orphans(home)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for process in left:
        with contextlib.suppress(psutil.Error, OSError):
            process.kill()
    deadline = time.monotonic() + _STOP_S
    while orphans(home) and time.monotonic() < deadline:
        time.sleep(0.05)
    return names
