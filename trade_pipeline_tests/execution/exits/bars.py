"""Candles in a few characters: prices as text, `L`/`S` enter long and short, `l`/`s` leave them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from trade_pipeline.execution.exits.candles import Bar, Scenario
from trade_pipeline.execution.exits.values import LONG, SHORT, ExitRules

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


def make_bars(*rows: str) -> list[Bar]:
    """One bar an hour from rows of "open high low close signals"."""
    bars = []
    for index, row in enumerate(rows):
        *prices, signals = [*row.split(), ""][:5]
        opened, high, low, close = (Decimal(price) for price in prices)
        enters = frozenset(sign for sign, letter in ((LONG, "L"), (SHORT, "S")) if letter in signals)
        exits = frozenset(sign for sign, letter in ((LONG, "l"), (SHORT, "s")) if letter in signals)
        bars.append(Bar(START + index * HOUR, opened, high, low, close, enters, exits))
    return bars


def make_scenario(*rows: str, rules: ExitRules, **more: object) -> Scenario:
    return Scenario(make_bars(*rows), HOUR, rules, **more)  # type: ignore[arg-type]  # a test names what it is about
