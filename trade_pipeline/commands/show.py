"""`status` and `explain`: what is known, for people and as JSON."""

from __future__ import annotations

import json
import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from trade_pipeline.commands.context import ledger_of, open_context
from trade_pipeline.commands.output import console, say
from trade_pipeline.runtime.stack_file import read_stack_file


def show_status(home: Path | None, *, as_json: bool) -> None:
    """Works with any part of the stack down, and says which."""
    from trade_pipeline.observe import status

    context = open_context(home)
    with closing(status.StatusReader(context.home, context.settings, os.environ)) as reader:
        reading = reader.read(datetime.now(UTC))
    if as_json:
        say(status.as_json(reading))
        return
    from trade_pipeline.observe.render import panel

    console().print(panel(reading, rows_max=None))


def show_explanation(home: Path | None, order_id: str, *, as_json: bool) -> None:
    """Raises LedgerError when no order has that id."""
    from trade_pipeline.observe.story import Sources, story_of
    from trade_pipeline.observe.story_text import told

    context = open_context(home)
    stack = read_stack_file(context.home)
    with ledger_of(context) as ledger:
        # Only the simulated exchange has a story to add, and only it may be shown its own secret.
        url = stack.exchange_url if stack and stack.mode == "sim" else None
        story = story_of(order_id, Sources(context.home, context.settings, context.secrets, ledger, url))
    say(json.dumps(story, indent=2, default=str) if as_json else "\n".join(told(story)))
