"""Signs that a process leaves in small files: that it is ready, with its process id, and that it still lives.

For processes that answer on no socket. A file of a dead process counts for nothing.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from trade_pipeline.runtime.environment import PROCESS, working_folder
from trade_pipeline.settings.home import Home


def _file(home: Home, name: str) -> Path:
    return working_folder(home) / f"{name}.ready"


def say_ready(home: Home) -> None:
    """Called by the process itself; does nothing in a process that nobody supervises."""
    name = os.environ.get(PROCESS)
    if not name:
        return
    working_folder(home).mkdir(parents=True, exist_ok=True)
    path = _file(home, name)
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.write_text(str(os.getpid()))
    scratch.replace(path)


def has_said_ready(home: Home, name: str, process_id: int) -> bool:
    """Whether the process of this id, and not a predecessor, is ready."""
    try:
        return _file(home, name).read_text() == str(process_id)
    except OSError:
        return False


BEAT_S = 5.0
"""How often a process that lives says so."""


def beat(home: Home) -> None:
    """Called by the process itself every BEAT_S, from the loop that does its work; nothing if nobody supervises it."""
    name = os.environ.get(PROCESS)
    if name:
        home.beat_file(name).touch()


def last_beat(home: Home, name: str) -> datetime | None:
    """None before the first."""
    try:
        return datetime.fromtimestamp(home.beat_file(name).stat().st_mtime, UTC)
    except OSError:
        return None
