"""stack.json: what other terminals need to know of a running stack. No secret in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import write_private


@dataclass(frozen=True, slots=True)
class StackFile:
    """`process_id` is that of `up`."""

    process_id: int
    started_at: datetime
    mode: str
    ui_url: str
    exchange_url: str
    processes: tuple[str, ...]
    ui_read_only_url: str | None = None


def write_stack_file(home: Home, stack: StackFile) -> None:
    write_private(
        home.stack, json.dumps({**asdict(stack), "started_at": stack.started_at.isoformat()}, indent=2) + "\n"
    )


def read_stack_file(home: Home) -> StackFile | None:
    """None when no stack was started in this home, or its file is unreadable."""
    try:
        tree = json.loads(home.stack.read_text())
        started_at = datetime.fromisoformat(tree.pop("started_at"))
        return StackFile(started_at=started_at, processes=tuple(tree.pop("processes")), **tree)
    except (OSError, ValueError, TypeError, KeyError):
        return None
