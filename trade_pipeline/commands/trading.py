"""`plan --dry-run` and `flatten`: the same functions that the stack runs, called by hand."""

from __future__ import annotations

from pathlib import Path

from trade_pipeline.commands.context import open_context
from trade_pipeline.commands.output import say
from trade_pipeline.errors import ConfigurationError
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings


def show_plan(home: Path | None, *, dry_run: bool) -> None:
    """Prints what an execution would send now for the newest decision, and sends nothing."""
    if not dry_run:
        raise ConfigurationError("planning never sends", thing="plan", repair="Say so with `plan --dry-run`.")
    open_context(home)
    raise NotImplementedError


def run_flatten(home: Path | None) -> None:
    context = open_context(home)
    for line in flatten_home(context.home, context.settings):
        say(line)


def flatten_home(home: Home, settings: Settings) -> list[str]:
    raise NotImplementedError
