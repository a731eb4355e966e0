"""What an open breaker stops, and how much of its size a half-open one lets through. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from trade_pipeline.ledger.records import BreakerState
from trade_pipeline.settings.breaker import BreakerSettings

WHOLE_ACCOUNT = "*"
CLOSED, OPEN, HALF_OPEN = "CLOSED", "OPEN", "HALF_OPEN"


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
