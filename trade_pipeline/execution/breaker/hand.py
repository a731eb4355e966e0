"""Opening and resetting a breaker by a person's or another part's word."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from trade_pipeline.execution.breaker.state import BY_HAND, CALM_SINCE, CLOSED, FORGIVEN_AT, OPEN, UNTIL_RESET, kept
from trade_pipeline.execution.desk import Desk
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import BreakerState

RETRIES_EXHAUSTED = "retries_exhausted"
"""What was tried as often as is allowed, and failed (RELIABILITY statement 5)."""


def open_for(desk: Desk, scope: str, dimension: str, reason: str) -> BreakerState:
    """Open it for another part, say a recovery whose retries ran out: `open_for(desk, "*", RETRIES_EXHAUSTED, why)`.

    `scope` is a symbol or WHOLE_ACCOUNT. It returns by itself, in steps. Calling it again while it is open writes no
    second event: the return counts from the last call. Raises LedgerUnavailable.
    """
    return open_breaker(desk.ledger, desk.account, scope, reason, desk.now(), dimension)


def open_breaker(
    ledger: Ledger, account: str, scope: str, reason: str, now: datetime, dimension: str = BY_HAND
) -> BreakerState:
    """Open it now. Raises LedgerUnavailable.

    One that is open keeps its first reason, unless that would return by itself and the new one would not: what a
    person stopped, only a person starts again.
    """
    before = next((state for state in ledger.breakers(account) if state.scope == scope), None)
    opened = BreakerState(account, scope, OPEN, dimension, reason, now, now, detail=kept(before))
    if before is not None and before.state == OPEN:
        if before.dimension in UNTIL_RESET or dimension not in UNTIL_RESET:
            return _breached_again(ledger, before)
        opened = replace(opened, reason=f"{reason}; open before: {before.reason}", opened_at=before.opened_at or now)
    ledger.set_breaker(opened)
    return opened


def reset_breaker(ledger: Ledger, account: str, scope: str, why: str, now: datetime) -> BreakerState | None:
    """Close it at once; None if it was not open. What came before `now` is forgiven for good.

    Forgiven means: no measure of this scope looks behind that moment again (losses, trades, the exchange's silence),
    whatever opens it later. What is so at present (exposure, a spread, memory) cannot be forgiven.
    """
    for state in ledger.breakers(account):
        if state.scope == scope and state.state != CLOSED:
            detail = {"reset": why, FORGIVEN_AT: now.isoformat()}
            closed = BreakerState(account, scope, CLOSED, state.dimension, why, None, now, 0, detail)
            ledger.set_breaker(closed)
            return closed
    return None


def _breached_again(ledger: Ledger, state: BreakerState) -> BreakerState:
    """It was about to return; its clock starts anew."""
    if CALM_SINCE not in state.detail:
        return state
    state = replace(state, detail=kept(state))
    ledger.set_breaker(state)
    return state
