"""Which steps an order may take, as data (RELIABILITY, "The order"). Pure: no ledger, no exchange.

A stop's trigger is an attribute and not a state. Everything that is not listed raises, and halts the entries of
the symbol.
"""

from __future__ import annotations

from collections.abc import Mapping

from trade_pipeline.errors import IllegalTransition
from trade_pipeline.schemas.trading import LIVE_STATES, OrderState

S = OrderState

STEPS: Mapping[OrderState, frozenset[OrderState]] = {
    S.PLANNED: frozenset({S.SENT, S.ABANDONED}),
    # Market and IOC answers arrive finished.
    S.SENT: frozenset({S.OPEN, S.PARTIALLY_FILLED, S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED, S.UNKNOWN}),
    S.OPEN: frozenset({S.PARTIALLY_FILLED, S.FILLED, S.CANCELED, S.EXPIRED, S.PENDING_CANCEL, S.REJECTED}),
    S.PARTIALLY_FILLED: frozenset({S.PARTIALLY_FILLED, S.FILLED, S.CANCELED, S.EXPIRED, S.PENDING_CANCEL, S.REJECTED}),
    # Back to OPEN or PARTIALLY_FILLED only when the exchange refused the cancel.
    S.PENDING_CANCEL: frozenset({S.CANCELED, S.FILLED, S.EXPIRED, S.OPEN, S.PARTIALLY_FILLED}),
    S.UNKNOWN: frozenset(
        {S.OPEN, S.PARTIALLY_FILLED, S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED, S.PENDING_CANCEL, S.ABSENT}
    ),
    S.FILLED: frozenset(),
    S.CANCELED: frozenset(),
    S.EXPIRED: frozenset(),
    S.REJECTED: frozenset(),
    S.ABANDONED: frozenset(),
    S.ABSENT: frozenset(),
}
"""From each state, the states that may follow."""

FINISHED_AT_EXCHANGE = frozenset({S.FILLED, S.CANCELED, S.EXPIRED})
"""Ends that prove the order lived on the exchange: an older, live view of it can still arrive."""

NEVER_SENT = frozenset({S.PLANNED, S.ABANDONED})


def is_live(state: OrderState) -> bool:
    """Whether the order may still change the position; UNKNOWN counts."""
    return state in LIVE_STATES


def may_fill(state: OrderState) -> bool:
    """A fill is legal in every state after SENT, also after CANCELED."""
    return state not in NEVER_SENT


def check_step(current: OrderState, following: OrderState, *, thing: str = "order") -> None:
    """Raise IllegalTransition unless `current -> following` is listed."""
    if following not in STEPS[current]:
        raise IllegalTransition(
            f"the step {current} -> {following} does not exist",
            thing=thing,
            value=str(following),
            repair="Entries of the symbol halt; compare the order on the exchange with `trade-pipeline explain`.",
        )


def merge(current: OrderState, reported: OrderState, *, thing: str = "order") -> OrderState:
    """The state after a read of the exchange: a stale read never takes a state back.

    A live view of an order that we know to be finished is old news; so is OPEN after a partial fill, and a live
    view while a cancel is under way (it says nothing about the cancel). A finished view that contradicts another
    end, or life in an order that never was, is no staleness: IllegalTransition.
    """
    if reported == current:
        return current
    reported_live = reported in {S.OPEN, S.PARTIALLY_FILLED, S.PENDING_CANCEL}
    if reported_live and (current in FINISHED_AT_EXCHANGE or current == S.PENDING_CANCEL):
        return current
    if current == S.PARTIALLY_FILLED and reported == S.OPEN:
        return current
    check_step(current, reported, thing=thing)
    return reported


def at_restart(state: OrderState) -> OrderState:
    """SENT found at a restart is UNKNOWN: nobody can say whether the request left."""
    return S.UNKNOWN if state == S.SENT else state
