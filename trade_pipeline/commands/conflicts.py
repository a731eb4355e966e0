"""`conflicts`: what ledger and exchange say differently, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trade_pipeline.commands.context import ledger_of, open_context
from trade_pipeline.commands.output import say
from trade_pipeline.ledger.records import Conflict

SINCE = timedelta(days=7)
LINES_MAX = 50


def show_conflicts(home: Path | None, *, as_json: bool) -> None:
    """Open conflicts, then the history of the last days, newest first. Raises LedgerUnavailable."""
    context = open_context(home)
    with ledger_of(context) as ledger:
        account = context.settings.account
        found = ledger.open_conflicts(account)
        recent = ledger.conflicts(account, datetime.now(UTC) - SINCE, LINES_MAX)
    if as_json:
        told = {"open": [_plain(row) for row in found], "recent": [_plain(row) for row in recent]}
        say(json.dumps(told, indent=2, default=str))
        return
    for line in lines_of(found, recent):
        say(line)


def lines_of(found: list[Conflict], recent: list[Conflict]) -> list[str]:
    """What is printed."""
    told = [f"{len(found)} open" if found else "ledger and exchange agree: no conflict is open"]
    told += [f"  {_line(row)}" for row in found]
    if recent:
        told += [f"the last {SINCE.days} days, newest first", *(f"  {_line(row)}" for row in recent)]
    return told


def _line(row: Conflict) -> str:
    amounts = f"ledger {_amount(row.ledger_amount)}, exchange {_amount(row.exchange_amount)}"
    why = str(row.detail.get("why", ""))
    text = f"{row.at:%Y-%m-%d %H:%M:%S} {row.kind} {row.subject}: {amounts}, {row.strategy}: {row.outcome}"
    return f"{text}, {why}" if why else text


def _amount(value: object) -> str:
    return "?" if value is None else f"{value:f}"


def _plain(row: Conflict) -> Mapping[str, object]:
    return {item.name: getattr(row, item.name) for item in fields(row)}
