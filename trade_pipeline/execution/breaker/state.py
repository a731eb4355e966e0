"""What a breaker's state says: what an open one stops, how much a half-open one lets through, what is kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from trade_pipeline.ledger.records import BreakerState
from trade_pipeline.settings.breaker import BreakerSettings

WHOLE_ACCOUNT = "*"
CLOSED, OPEN, HALF_OPEN = "CLOSED", "OPEN", "HALF_OPEN"
BY_HAND = "by hand"
UNTIL_RESET = frozenset({"daily_loss", "authentication", BY_HAND})
"""Dimensions that no clock closes."""
CALM_SINCE = "calm_since"
"""In the detail of an open breaker: since when nothing has been beyond its limit. Its return counts from there."""
FORGIVEN_AT = "forgiven_at"
"""In the detail: when a person last reset it. Whatever its state becomes, this stays."""
COUNTED_UNTIL = "counted_until"
"""In the detail, and stays too: when it opened last. Closed trades open it once: again only with another one, else a
losing streak could never end, because nothing is bought any more."""


def forgiven_at(state: BreakerState) -> datetime | None:
    """Before this moment nothing counts for this scope any more."""
    return _moment(state, FORGIVEN_AT)


def counted_until(state: BreakerState) -> datetime | None:
    return _moment(state, COUNTED_UNTIL)


def calm_since(state: BreakerState) -> datetime | None:
    return _moment(state, CALM_SINCE)


def kept(state: BreakerState | None) -> dict[str, object]:
    """What of the detail goes on into every later state."""
    known: Mapping[str, object] = state.detail if state is not None else {}
    return {name: known[name] for name in (FORGIVEN_AT, COUNTED_UNTIL) if name in known}


def _moment(state: BreakerState, name: str) -> datetime | None:
    said = state.detail.get(name)
    return None if said is None else datetime.fromisoformat(str(said))


def _of(states: Iterable[BreakerState], symbol: str) -> list[BreakerState]:
    return [state for state in states if state.scope in {WHOLE_ACCOUNT, symbol}]


def increases_stopped(states: Sequence[BreakerState], symbol: str) -> str | None:
    """Why nothing may be bought of the symbol, or None."""
    for state in _of(states, symbol):
        if state.state == OPEN:
            return f"the circuit breaker is open ({state.dimension}): {state.reason}"
    return None


def size_factor(states: Sequence[BreakerState], symbol: str, settings: BreakerSettings) -> Decimal:
    """Which share of an increase is allowed: 0 when open, a step of the return when half open, else 1."""
    factor = Decimal(1)
    for state in _of(states, symbol):
        if state.state == OPEN:
            return Decimal(0)
        if state.state == HALF_OPEN:
            factor = min(factor, settings.stage_size_ratios[min(state.stage, len(settings.stage_size_ratios) - 1)])
    return factor
