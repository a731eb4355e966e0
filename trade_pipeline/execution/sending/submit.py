"""The only place that sends: intent committed, lease checked, sent once, answer recorded.

A timeout, a 5xx, a cut connection is UNKNOWN and is never sent again; `reconcile` asks what became of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.errors import (
    BadTrade,
    DuplicateClientOrderId,
    IllegalTransition,
    LeaseHeld,
    LedgerError,
    LedgerUnavailable,
    TradePipelineError,
    VenueError,
)
from trade_pipeline.execution.desk import EVERY, Desk
from trade_pipeline.execution.locks import lock_if_stopped
from trade_pipeline.execution.recovery import (
    PATIENCE_S,
    Outcome,
    attempted,
    count,
    overtaken,
    stop_increases,
    was_not_executed,
)
from trade_pipeline.ledger.records import Event, Fill, Intent, Lease, Lock, Order
from trade_pipeline.schemas.order_states import is_live
from trade_pipeline.schemas.trading import OrderRequest, OrderState, VenueOrder, VenueTrade

LEASE_POLL_S = 0.05
PAGE = 1000
PAGES_MAX = 20
"""Of trades in one read; what is left is read in the next cycle."""
TRADES_LAG_S = 60.0
"""How long an exchange's list of trades may lag behind the end of an order."""


def acquire_lease(desk: Desk, holder: str, *, for_exit: bool, wait_s: float) -> Lease:
    """The account's lease, waited for at most `wait_s`; LeaseHeld after that."""
    deadline = desk.monotonic() + wait_s
    ttl_s = desk.settings.execution.lease_ttl_s
    settled_s = _margin_s(desk) if for_exit else None
    while True:
        try:
            return desk.ledger.acquire_lease(desk.account, holder, ttl_s, for_exit, settled_s)
        except LeaseHeld:
            if desk.monotonic() >= deadline:
                raise
            desk.sleep(LEASE_POLL_S)


@dataclass(frozen=True, slots=True)
class Sending:
    """One order of a request, and what for. `beside`: the live protective order whose coins it shares."""

    intent: Intent
    request: OrderRequest
    attempt: int = 0
    beside: str | None = None


def send(desk: Desk, lease: Lease, intent: Intent, request: OrderRequest, attempt: int = 0) -> Order:
    """Plan, commit, send, record. Returns the order as the ledger has it; raises only what precedes the sending."""
    (order,) = send_together(desk, lease, [Sending(intent, request, attempt)], lambda: [desk.venue.create(request)])
    return order


def send_together(
    desk: Desk, lease: Lease, sendings: Sequence[Sending], transmit: Callable[[], Sequence[VenueOrder]]
) -> list[Order]:
    """`send` for orders that leave in one request, which the exchange accepts or refuses whole.

    `transmit` makes the request, once, and answers with the orders in the same sequence.
    """
    margin_s = _margin_s(desk)
    try:
        for sending in sendings:
            desk.ledger.plan_order(sending.intent, sending.request, sending.attempt, beside=sending.beside)
        checked_at = desk.monotonic()
        for sending in sendings:
            desk.ledger.mark_sent(sending.request.client_order_id, lease, margin_s)
    except LedgerError as error:
        for sending in sendings:
            with suppress(LedgerError):
                _never_left(desk, sending.request.client_order_id, f"not sent: {error.message}")
        raise
    outcome = attempted(
        desk,
        transmit,
        operation="create",
        since=checked_at,
        symbol=sendings[0].request.symbol,
        why_not_again=lambda: overtaken(desk, lease, sendings[0].intent),
    )
    orders = [_written(desk, sending.request, outcome, position) for position, sending in enumerate(sendings)]
    _answered(desk, outcome, orders)
    return orders


def _margin_s(desk: Desk) -> float:
    """How long after its commit as SENT a request may still arrive: its sender's pause and the exchange's window."""
    return desk.settings.execution.recv_window_ms / 1000 + PATIENCE_S


def _never_left(desk: Desk, named: str, why: str) -> Order:
    """End an order that the exchange cannot have: no request has left, or each was certainly not executed."""
    order = desk.ledger.order(named)
    if order is None:
        raise LedgerError("the plan of the order was not committed", thing=named)
    if order.state == OrderState.PLANNED:
        return desk.ledger.abandon(named, why)
    if order.state in {OrderState.SENT, OrderState.UNKNOWN}:
        desk.ledger.mark_unknown(named, why)
        return desk.ledger.mark_absent(named, f"it never reached the exchange: {why}")
    return order


def _written(desk: Desk, request: OrderRequest, outcome: Outcome[Sequence[VenueOrder]], position: int) -> Order:
    """The order in the state that its request has brought it to."""
    named, error = request.client_order_id, outcome.error
    if outcome.stood_still_s is not None:
        return _never_left(desk, named, f"the lease was checked {outcome.stood_still_s:.1f} s ago")
    if outcome.answer is not None:
        return _acknowledged(desk, outcome.answer[position])
    assert error is not None and outcome.met is not None, "what has no answer has an error"
    if isinstance(error, DuplicateClientOrderId):
        return _adopt(desk, request, str(error))
    if not was_not_executed(error):
        return desk.ledger.mark_unknown(named, f"no readable answer: {error}")
    try:
        return desk.ledger.mark_rejected(named, outcome.met.evidence)
    except IllegalTransition:
        # While this process stood still somebody proved that the order never arrived.
        return desk.ledger.order(named) or _unheard_of(named)


def _answered(desk: Desk, outcome: Outcome[Sequence[VenueOrder]], orders: Sequence[Order]) -> None:
    """Breaker and count, after the orders' own ends: who dies in between leaves those to be found."""
    met, error = outcome.met, outcome.error
    if met is None:
        return
    if met.action == "retry":
        count(desk, "submit", met.error, "retry", recovered=outcome.answer is not None)
        return
    for order in orders:
        stop_increases(desk, met, order)
    if isinstance(error, DuplicateClientOrderId):
        found = all(order.state != OrderState.UNKNOWN for order in orders)
        count(desk, "submit", met.error, met.action, recovered=found)
    elif met.action in {"skip", "halt"}:
        count(desk, "submit", met.error, met.action, recovered=False)


def _adopt(desk: Desk, request: OrderRequest, why: str) -> Order:
    """The exchange has an order of this id, so an earlier request arrived after all (RELIABILITY statement 6)."""
    try:
        found = desk.venue.order(request.symbol, request.client_order_id)
    except TradePipelineError:
        return desk.ledger.mark_unknown(request.client_order_id, f"there already, and not found yet: {why}")
    return apply(desk, found, "there already, adopted")


def apply(desk: Desk, answer: VenueOrder, evidence: str) -> Order:
    """Write what the exchange says of an order, together with its trades. A contradiction halts the symbol's entries.

    An end whose trades are not told yet is not written: the order stays as it is, and is asked for again. Raises
    VenueError where the trades had to be read and were not.
    """
    ledger, named = desk.ledger, answer.client_order_id
    trades = trades_of(desk, answer)
    if trades is None:
        order = ledger.order(named)
        assert order is not None, "an order that is asked for is in the ledger"
        return order
    try:
        order, contradiction = ledger.settle(desk.account, answer, trades, evidence, prefix=desk.prefix)
    except LedgerUnavailable:
        raise
    except LedgerError as error:
        # One order that contradicts itself must not keep the others from being read.
        halt(desk, answer.symbol, str(error), named)
        book(desk, trades)
        return ledger.order(named) or _unheard_of(named)
    if contradiction is not None:
        halt(desk, answer.symbol, str(contradiction), named)
    return order


def _unheard_of(named: str) -> Order:
    raise LedgerError("only orders of the ledger are asked for", thing="order", value=named)


def trades_of(
    desk: Desk, answer: VenueOrder, known: Order | None = None, last: str | None = None
) -> Sequence[VenueTrade] | None:
    """The trades behind an answer: its own, or read where it names a quantity but not all of them (RELIABILITY 28).

    None: the order has ended and the exchange's list of trades lags behind it. Written now, its coins would look as
    if they were still to be sold. `known` with `last`, the newest trade that is booked from before it: what the
    ledger says, asked for many orders at once.
    """
    told = {trade.trade_id: trade for trade in answer.trades}
    if answer.filled <= _amount(told):
        return tuple(told.values())
    asked = known is None
    known = known or desk.ledger.order(answer.client_order_id)
    if known is not None and answer.filled <= known.filled:
        return tuple(told.values())
    # Those of a later order may be booked already, by its own answer: read from this order's beginning on.
    last = desk.ledger.last_trade_id(desk.account, answer.symbol, answer.created_at) if asked else last
    read = [trade for page in pages(desk, answer.symbol, last) for trade in page]
    own = told | {trade.trade_id: trade for trade in read if trade.order_id == answer.order_id}
    young = desk.now() - answer.updated_at < timedelta(seconds=TRADES_LAG_S)
    if not is_live(answer.state) and answer.filled > _amount(own) and young:
        return None
    return (*told.values(), *(trade for trade in read if trade.trade_id not in told))


def _amount(trades: Mapping[str, VenueTrade]) -> Decimal:
    return sum((trade.amount for trade in trades.values()), Decimal(0))


def _acknowledged(desk: Desk, answer: VenueOrder) -> Order:
    """The answer to a request: written, or UNKNOWN until its trades can be read."""
    named = answer.client_order_id
    try:
        order = apply(desk, answer, "answer to create")
    except VenueError as error:
        return desk.ledger.mark_unknown(named, f"its trades could not be read: {error}")
    return desk.ledger.mark_unknown(named, "its trades are not listed yet") if order.state == OrderState.SENT else order


def book_new_trades(desk: Desk, symbol: str, *, since: datetime | None = None) -> int:
    """Read the symbol's trades from the newest booked one on; returns how many were new.

    Answers to orders book their own trades, so an older one may be missing behind the newest: `since` reads again
    from that time on.
    """
    ledger, new = desk.ledger, 0
    for trades in pages(desk, symbol, ledger.last_trade_id(desk.account, symbol, since)):
        new += len(book(desk, trades))
    return new


def book(desk: Desk, trades: Sequence[VenueTrade]) -> list[Fill]:
    """Book what can be booked, and return what was new; a trade that cannot be true halts its symbol's entries."""
    try:
        return desk.ledger.book_trades(desk.account, trades, prefix=desk.prefix)
    except BadTrade as error:
        for symbol in error.symbols:
            halt(desk, symbol, str(error))
        return [fill for fill in error.booked if isinstance(fill, Fill)]


def pages(desk: Desk, symbol: str, last: str | None) -> Iterator[list[VenueTrade]]:
    """The symbol's trades from `last` on, at most PAGES_MAX pages."""
    for _ in range(PAGES_MAX):
        trades = desk.venue.trades(symbol, from_id="0" if last is None else last, limit=PAGE)
        if trades:
            yield trades
        if len(trades) < PAGE:
            return
        last = trades[-1].trade_id


def after_fills(desk: Desk, order: Order) -> Order:
    """Fills that raced the cancel are booked before anybody recomputes (RELIABILITY 14)."""
    now = desk.ledger.order(order.client_order_id) or order
    if now.request.amount != now.filled and not is_live(now.state):
        book_new_trades(desk, order.symbol)
        now = desk.ledger.order(order.client_order_id) or now
    lock_if_stopped(desk, order, now)
    return now


def halt(desk: Desk, symbol: str, reason: str, client_id: str | None = None) -> None:
    """No entries of the symbol until somebody unlocks it; said once, not every cycle."""
    if symbol in desk.halts():
        return
    desk.ledger.lock(Lock(desk.account, EVERY, symbol, reason, desk.now()))
    detail = {"reason": reason}
    known = None if symbol == EVERY else symbol
    desk.ledger.record_event(Event(desk.now(), "entries_halted", "error", desk.account, known, None, client_id, detail))
