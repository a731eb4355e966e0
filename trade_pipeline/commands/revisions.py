"""`quality revisions`: bars that were changed after we knew them, and the decisions that stood on the old values."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from trade_pipeline.commands.context import open_context
from trade_pipeline.commands.output import say
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Decision
from trade_pipeline.market_data.lake import Lake, lake_of
from trade_pipeline.market_data.revisions import BAR_FACTS, revised_values

TABLE = "raw_bars"
DECIDED_WITHIN = timedelta(hours=1)
"""Of a bar's close; far more than a decision ever needs."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One value of one bar that was changed. `decisions` stood on `was`; the newest of them is `last_decision`."""

    symbol: str
    open_time: str
    column: str
    was: float | None
    now: float | None
    was_known_at: str
    known_at: str
    decisions: int
    last_decision: str | None


def show_revisions(home: Path | None, days: int, *, as_json: bool) -> None:
    """Prints what was changed in the newest `days` days of the lake, newest first. Needs the ledger of the home."""
    context = open_context(home)
    lake = lake_of(context.settings.storage, context.home)
    ledger = Ledger(context.secrets.ledger_url)
    try:
        found = revisions(lake, ledger, context.settings.account, lake.days(TABLE)[-days:])
    finally:
        ledger.close()
    if as_json:
        say(json.dumps([asdict(item) for item in found]))
        return
    for item in found:
        stood = f"{item.decisions} decisions stood on it" if item.decisions else "no decision stood on it"
        say(f"{item.known_at} {item.symbol} {item.open_time} {item.column}: {item.was} is now {item.now}; {stood}")
    if not found:
        say(f"no bar of the newest {days} days was changed after it was known")


def revisions(lake: Lake, ledger: Ledger, account: str, days: list[str]) -> list[Revision]:
    """Changed values of raw bars of `days`, newest first."""
    changed = revised_values(lake.history(TABLE, days), ("symbol", "open_time"), BAR_FACTS)
    if changed.is_empty():
        return []
    first, last = changed.get_column("was_known_at").min(), changed.get_column("known_at").max()
    assert isinstance(first, datetime) and isinstance(last, datetime)
    # They are found by their bar, which had closed before it was known.
    decisions = ledger.decisions_between(account, first - DECIDED_WITHIN, last)
    return [_revision(row, decisions) for row in changed.iter_rows(named=True)]


def _revision(row: dict[str, object], decisions: list[Decision]) -> Revision:
    was_known, known, opened = row["was_known_at"], row["known_at"], row["open_time"]
    assert isinstance(was_known, datetime) and isinstance(known, datetime) and isinstance(opened, datetime)
    stood = [item for item in decisions if was_known <= item.decided_at < known and item.as_of > opened]
    return Revision(
        symbol=str(row["symbol"]),
        open_time=opened.isoformat(),
        column=str(row["column"]),
        was=_number(row["was"]),
        now=_number(row["is"]),
        was_known_at=was_known.isoformat(),
        known_at=known.isoformat(),
        decisions=len(stood),
        last_decision=max(stood, key=lambda item: item.decided_at).decision_id if stood else None,
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
