"""Opening and resetting a breaker by a person's or another part's word."""

from __future__ import annotations

from datetime import datetime

from trade_pipeline.execution.breaker.evaluate import BY_HAND, UNTIL_RESET
from trade_pipeline.execution.breaker.state import CLOSED, OPEN
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import BreakerState


def open_breaker(
    ledger: Ledger, account: str, scope: str, reason: str, now: datetime, dimension: str = BY_HAND
) -> BreakerState:
    """Open it now. Raises LedgerUnavailable.

    One that is open keeps its first reason, unless that would return by itself and the new one would not: what a
    person stopped, only a person starts again.
    """
    since = now
    for state in ledger.breakers(account):
        if state.scope == scope and state.state == OPEN:
            if state.dimension in UNTIL_RESET or dimension not in UNTIL_RESET:
                return state
            reason, since = f"{reason}; open before: {state.reason}", state.opened_at or now
    opened = BreakerState(account, scope, OPEN, dimension, reason, since, now)
    ledger.set_breaker(opened)
    return opened


def reset_breaker(ledger: Ledger, account: str, scope: str, why: str, now: datetime) -> BreakerState | None:
    """Close it at once; None if it was not open. What opened it is forgiven: measuring begins anew from now."""
    for state in ledger.breakers(account):
        if state.scope == scope and state.state != CLOSED:
            closed = BreakerState(account, scope, CLOSED, state.dimension, why, None, now, 0, {"reset": why})
            ledger.set_breaker(closed)
            return closed
    return None
