"""`metrics`: prints what a scraper of this home's stack would read."""

from __future__ import annotations

import os
from pathlib import Path

from trade_pipeline.commands.context import open_context
from trade_pipeline.commands.output import say
from trade_pipeline.observe.metrics.exposition import Exposition


def print_metrics(home: Path | None) -> None:
    """Works while the stack is down too: what cannot be read is told as `trade_pipeline_collect_failed`."""
    context = open_context(home)
    told = Exposition(context.home, context.settings, os.environ).text()
    assert told is not None, "nobody else asks this one"
    say(told[0].decode().rstrip("\n"))
