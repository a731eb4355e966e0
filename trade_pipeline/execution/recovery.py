"""What is done about an error of the exchange: the table of the settings, read by one pure function, and its traces.

`next_step` decides; whoever sends, cancels or reads carries it out. An order's state is always written before a
breaker is opened and before anything is counted: who dies in between leaves the evidence on the order, and
`open_what_was_forgotten` finds it there. Nothing here sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Generic, Literal, TypeVar

from trade_pipeline.errors import (
    AuthenticationFailed,
    Banned,
    DuplicateClientOrderId,
    LedgerError,
    OrderRefused,
    SymbolUnknown,
    TradePipelineError,
    VenueUnavailable,
)
from trade_pipeline.execution.breaker.hand import RETRIES_EXHAUSTED, open_for
from trade_pipeline.execution.breaker.state import WHOLE_ACCOUNT, increases_stopped
from trade_pipeline.execution.desk import Desk
from trade_pipeline.ledger.records import Event, Intent, Lease, Order, RecoveryCount
from trade_pipeline.schemas.trading import OrderState, Side
from trade_pipeline.settings.recovery import ATTEMPTS_MAX, RecoveryAction, RecoverySettings, venue_errors
from trade_pipeline.venues.order_budget import WAIT_S_MAX

Operation = Literal["create", "cancel", "read"]
Answer = TypeVar("Answer")
PATIENCE_S = 3.0
"""Between the check of the lease and the last request: a process that stood still for longer sends nothing."""
_ASKED_WITHIN_S = PATIENCE_S - WAIT_S_MAX
"""The last time that the venue is asked: it may let a request wait for its turn before it leaves."""
ANSWERED = "breaker_asked_for"
"""Kind of the event that says: the breaker was opened for this order's end."""
_OF_THE_ACCOUNT = {
    "Banned": "banned",
    "AuthenticationFailed": "authentication",
    **{kind.__name__: RETRIES_EXHAUSTED for kind in venue_errors(VenueUnavailable)},
}
"""Row -> dimension; an order that is refused is its symbol's affair."""
_CERTAINLY_NOT = (VenueUnavailable, OrderRefused, SymbolUnknown, Banned, AuthenticationFailed)
_OF_A_NEW_ORDER = frozenset({"reduce", "fallback", "exit"})
"""Mean nothing for a cancel or a read."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to do about one error. `pause_s` before a retry; `dimension` of the breaker that opens, if one does."""

    action: RecoveryAction
    error: str
    message: str
    attempt: int = 0
    pause_s: float = 0.0
    dimension: str | None = None
    scope: str = WHOLE_ACCOUNT

    @property
    def evidence(self) -> str:
        """As an order keeps it: `action_of` and `error_of` read it back."""
        tried = f" in {self.attempt + 1} attempts" if self.attempt else ""
        return f"{self.action} after {self.error}{tried}: {self.message}"


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Answer]):
    """What came of a request: an answer, or the error that ended the trying; `met`: the last step that was taken.

    `stood_still_s` is set where the check that went before the request had become too old to send it.
    """

    answer: Answer | None = None
    error: TradePipelineError | None = None
    met: Step | None = None
    stood_still_s: float | None = None


def attempted(
    desk: Desk,
    request: Callable[[], Answer],
    *,
    operation: Operation,
    since: float,
    symbol: str,
    why_not_again: Callable[[], str | None],
) -> Outcome[Answer]:
    """Make the request, and again as the table allows: always the very same one, and only what was not executed.

    `since`, by the desk's monotonic clock, is when the right to send was checked; nothing leaves PATIENCE_S after it.
    """
    met: Step | None = None
    for attempt in range(ATTEMPTS_MAX):
        stood_s = desk.monotonic() - since
        if stood_s > _ASKED_WITHIN_S:
            # This process stood still, or waited: the lease that was checked may be somebody else's by now.
            return Outcome(met=met, stood_still_s=stood_s)
        try:
            return Outcome(request(), met=met)
        except TradePipelineError as error:
            left_s = _ASKED_WITHIN_S - (desk.monotonic() - since)
            table = desk.settings.recovery
            met = next_step(error, attempt, table, operation=operation, left_s=left_s, symbol=symbol)
            if met.action != "retry":
                return Outcome(error=error, met=met)
            desk.sleep(met.pause_s)
            if (why := why_not_again()) is not None:
                stopped = replace(met, action="skip", pause_s=0.0, message=f"{why}; before that {met.message}")
                return Outcome(error=error, met=stopped)
    raise AssertionError("no row of the table has more attempts than that")


def next_step(
    error: TradePipelineError,
    attempt: int,
    table: RecoverySettings,
    *,
    operation: Operation,
    left_s: float,
    symbol: str = "",
) -> Step:
    """What follows on `error` of the attempt of this number, counted from 0. Pure.

    `left_s` is how long may still be waited: a pause that does not fit ends the trying. A request that may have been
    executed is never repeated, whatever the table says; a cancel may be, but who does not know looks first.
    """
    name, rule = table.rule_for(error)
    step = Step(rule.action, name, str(error), attempt)
    if rule.action == "retry":
        return _retried(error, replace(step, pause_s=_pause_s(error, rule.pause_s)), table, operation, left_s)
    if operation == "create" and not was_not_executed(error):
        return replace(step, action="resolve")
    if operation != "create" and rule.action in _OF_A_NEW_ORDER:
        return replace(step, action="skip")
    if rule.action == "halt":
        scope, dimension = _breaker_of(name, symbol)
        return replace(step, dimension=dimension, scope=scope)
    return step


def _retried(
    error: TradePipelineError, step: Step, table: RecoverySettings, operation: Operation, left_s: float
) -> Step:
    rule = table.table[step.error]
    if not isinstance(error, VenueUnavailable):
        return replace(step, action="resolve", pause_s=0.0)
    if step.attempt + 1 < rule.attempts_max:
        # The exchange, or our own budget, asks for a longer silence than this request may last: another one, later.
        return step if step.pause_s <= left_s else replace(step, action="skip", pause_s=0.0)
    if rule.then == "skip" or operation == "read":
        return replace(step, action="skip", pause_s=0.0)
    return replace(step, action="halt", pause_s=0.0, dimension=RETRIES_EXHAUSTED)


def _pause_s(error: TradePipelineError, pause_s: float) -> float:
    return max(pause_s, float(getattr(error, "retry_after_s", 0.0)))


def _breaker_of(error: str, symbol: str) -> tuple[str, str]:
    """Scope and dimension of the breaker that an error opens, by the name of its row."""
    if error in _OF_THE_ACCOUNT:
        return WHOLE_ACCOUNT, _OF_THE_ACCOUNT[error]
    return symbol or WHOLE_ACCOUNT, "refused"


def was_not_executed(error: TradePipelineError) -> bool:
    """Whether the exchange certainly did not take the order. With a duplicate id it has one, taken earlier."""
    return isinstance(error, _CERTAINLY_NOT) and not isinstance(error, DuplicateClientOrderId)


def action_of(order: Order) -> str | None:
    """What was to be done about the error that ended an order; None for another end."""
    words = order.last_evidence.split(" ", 3)
    return words[0] if order.state == OrderState.REJECTED and words[1:2] == ["after"] else None


def error_of(order: Order) -> str:
    """The name of the error that ended an order, as `action_of` reads it."""
    return order.last_evidence.split(" ", 3)[2].rstrip(":")


def count(desk: Desk, component: str, error: str, action: str, *, recovered: bool) -> None:
    """One more error answered. The book of them is not worth an order's fate: what cannot be written is left out."""
    with suppress(LedgerError):
        desk.ledger.count_recovery(desk.now().date(), component, error, action, recovered)


def stop_increases(desk: Desk, step: Step, order: Order | None = None) -> None:
    """Open the breaker that a step asks for, after the order's own end was written. What fails here is made up for."""
    if step.dimension is None:
        return
    with suppress(LedgerError):
        _open(desk, step.scope, step.dimension, step.evidence, order)


def answer_for(desk: Desk, component: str, step: Step, order: Order | None, *, recovered: bool) -> None:
    """What follows once an order's own end is written: the breaker, then the count."""
    stop_increases(desk, step, order)
    count(desk, component, step.error, step.action, recovered=recovered)


def _open(desk: Desk, scope: str, dimension: str, reason: str, order: Order | None) -> None:
    open_for(desk, scope, dimension, reason)
    if order is not None:
        detail = {"scope": scope, "dimension": dimension}
        symbol, named = order.symbol, order.client_order_id
        desk.ledger.record_event(Event(desk.now(), ANSWERED, "error", desk.account, symbol, None, named, detail))


def open_what_was_forgotten(desk: Desk, look_back: timedelta) -> list[str]:
    """Open the breaker for orders whose sender died between their end and it; returns their client ids.

    An order that was answered for is not looked at again: a breaker that has returned since stays as it is.
    """
    since = desk.now() - look_back
    ended = [order for order in desk.ledger.orders(desk.account, since) if action_of(order) == "halt"]
    if not ended:
        return []
    answered = {event.client_order_id for event in desk.ledger.events(desk.account, since, kinds=(ANSWERED,))}
    forgotten = [order for order in ended if order.client_order_id not in answered]
    for order in forgotten:
        scope, dimension = _breaker_of(error_of(order), order.symbol)
        _open(desk, scope, dimension, order.last_evidence, order)
    return [order.client_order_id for order in forgotten]


def overtaken(desk: Desk, lease: Lease, intent: Intent) -> str | None:
    """Why a purchase is not sent once more: what was asked before the first attempt may have changed since."""
    if intent.side != Side.BUY:
        return None
    if (reason := increases_stopped(desk.ledger.breakers(desk.account), intent.symbol)) is not None:
        return reason
    if intent.expires_at is not None and intent.expires_at <= desk.now():
        return "its decision has expired"
    if desk.pause_reason() is not None:
        return "paused meanwhile"
    return "an exit waits for the account" if desk.ledger.exit_is_waiting(lease) else None


@dataclass(frozen=True, slots=True)
class Rate:
    """How many errors of one kind a component has met, and how many of them it came out of."""

    component: str
    error: str
    recovered: int
    total: int

    def line(self) -> str:
        share = f"{100 * self.recovered / self.total:.0f} %"
        return f"{self.component} {self.error}: {self.recovered} of {self.total} recovered ({share})"


def recovery_rates(counts: Iterable[RecoveryCount]) -> list[Rate]:
    """By component and error, over all days and actions that are given."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for row in counts:
        good, total = sums.get((row.component, row.error), (0, 0))
        sums[row.component, row.error] = (good + (row.count if row.recovered else 0), total + row.count)
    return [Rate(component, error, *both) for (component, error), both in sorted(sums.items())]
