"""`status` and `explain`: what is known, for people and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trade_pipeline.commands.context import open_context
from trade_pipeline.commands.output import say
from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger.ledger import Ledger


def show_status(home: Path | None, *, as_json: bool) -> None:
    """Works with any part of the stack down, and says which."""
    from trade_pipeline.observe import status

    context = open_context(home)
    with closing(status.StatusReader(context.home, context.settings, os.environ)) as reader:
        reading = reader.read(datetime.now(UTC))
    if as_json:
        say(status.as_json(reading))
        return
    from rich.console import Console

    from trade_pipeline.observe.render import panel

    Console().print(panel(reading))


def show_explanation(home: Path | None, order_id: str, *, as_json: bool) -> None:
    """Raises LedgerError when no order has that id."""
    context = open_context(home)
    with closing(Ledger(context.secrets.ledger_url)) as ledger:
        story = explanation(ledger, order_id)
    say(json.dumps(story, indent=2, default=str) if as_json else "\n".join(_told(story)))


def explanation(ledger: Ledger, order_id: str) -> dict[str, object]:
    story = ledger.explain(order_id)
    if not story or not story.get("order"):
        raise LedgerError(
            "no order has this id", thing=order_id, repair="`trade-pipeline status` lists open orders with their ids."
        )
    return story


def _told(story: Mapping[str, Any]) -> Iterator[str]:
    """Headings in the order of cause and effect, then whatever else the ledger said."""
    known = ("decision", "snapshot", "target", "outcomes", "intent", "order", "events", "fills", "position", "sleeves")
    for name in [*known, *(key for key in story if key not in known)]:
        if story.get(name) not in (None, [], {}):
            yield f"{name}"
            yield from _indented(story[name], "  ")


def _indented(value: object, margin: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, Mapping | list) and inner:
                yield f"{margin}{key}"
                yield from _indented(inner, margin + "  ")
            else:
                yield f"{margin}{key:<20} {inner if inner not in ({}, []) else '-'}"
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, Mapping):
                yield margin + "  ".join(f"{key}={item}" for key, item in inner.items() if item is not None)
            else:
                yield f"{margin}{inner}"
    else:
        yield f"{margin}{value}"
