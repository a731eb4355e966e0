"""Signs of being ready that a process leaves for the starter: a small file with its process id.

For processes that answer on no socket. A file of a dead process counts for nothing.
"""

from __future__ import annotations

import os
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
