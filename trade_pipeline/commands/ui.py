"""`ui`: prints the address that lets a browser into the UI of a running stack."""

from __future__ import annotations

from pathlib import Path

import typer

from trade_pipeline.commands.context import STOPPED, open_context, runs
from trade_pipeline.commands.output import hint, say
from trade_pipeline.errors import ConfigurationError
from trade_pipeline.runtime.ui_address import to_open


def print_address(home: Path | None, *, read_only: bool) -> None:
    """One line, the token in it where the UI asks for one. Raises ConfigurationError where there is no twin.

    Exit code 1 when the stack is stopped: nobody answers there, and at its next start the port may be another.
    """
    context = open_context(home)
    if not runs(context.home):
        hint(f"trade-pipeline: {STOPPED}")
        raise typer.Exit(1)
    full, reading = to_open(context.settings, context.secrets.ui_token)
    if not read_only:
        say(full)
    elif reading is not None:
        say(reading)
    else:
        raise ConfigurationError(
            "there is no read-only UI",
            thing="runtime.ui_read_only_port",
            repair="Set a port and start the stack again.",
        )
