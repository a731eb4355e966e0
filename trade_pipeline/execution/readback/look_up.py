"""What became of live orders that the exchange does not list as open (RELIABILITY rule 3).

Asked by client id, then among closed orders, then by the trades since the send. Nothing here sends or cancels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from trade_pipeline.errors import OrderNotFound, VenueError
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.readback.balances import residuals_of
from trade_pipeline.execution.readback.denied import LOOK_UP_LAG_S, may_be_missing, rests_unlisted
from trade_pipeline.execution.readback.found import LISTED_BEFORE, is_listed_as_closed, sent_at, take
from trade_pipeline.execution.recovery import count
from trade_pipeline.execution.sending.submit import book_new_trades
from trade_pipeline.ledger.records import Event, Order
from trade_pipeline.schemas.trading import OrderState, Side, VenueOrder

LOOK_UPS_BEFORE_ABSENT = 3
PLANNED_S_MAX = 2.0
"""A PLANNED order older than this belongs to a sender that died before it sent. One that merely stood still finds it
abandoned when it wakes, and sends nothing: a short time does no harm, and until then nobody else protects."""
SKEW_S = 1.0
FILLS_MAX = 200
EVENTS_MAX = 100
NOT_FOUND = "look_up_empty"
"""Kind of the event that counts an empty look-up."""
FAILED = "look_up_failed"
"""Kind of the event that ends a row of empty look-ups: a network error is no evidence, what was before it is old."""
LASTS = "order_unknown"
"""Kind of the alert that an order's fate is not known for long."""


@dataclass
class LookedUp:
    """`changed`: symbols whose orders moved. `denied`: acknowledged orders that the exchange says it has not."""

    changed: set[str] = field(default_factory=set)
    denied: list[str] = field(default_factory=list)


def look_up_all(desk: Desk, orders: Iterable[Order], *, at_start: bool) -> LookedUp:
    """Ask for each live order that is not listed as open. `at_start`: every SENT is UNKNOWN."""
    result = LookedUp()
    for known in orders:
        order = known
        if order.state == OrderState.PLANNED:
            if desk.now() - order.planned_at > timedelta(seconds=PLANNED_S_MAX):
                desk.ledger.abandon(order.client_order_id, "its sender died before it sent")
            continue
        if order.state == OrderState.SENT:
            if not at_start and not _is_stale(desk, order):
                continue
            order = desk.ledger.mark_unknown(order.client_order_id, "sent, and no answer was recorded")
        if _look_up(desk, order, result):
            result.changed.add(order.symbol)
    return result


def absent_after_s(desk: Desk) -> float:
    """Age from which a lost order cannot arrive any more and would be found: the exchange's bound and its lag.

    The settings can only make it longer: they may doubt a bound, or wait for longer where there is none.
    """
    known, positions = desk.venue.capabilities, desk.settings.positions
    if known.acceptance_bound_s is None or not positions.acceptance_bounded:
        return max(positions.unbounded_wait_s, known.acceptance_wait_s)
    bound_s = max(known.acceptance_bound_s, desk.settings.execution.recv_window_ms / 1000)
    return bound_s + desk.settings.market.request_timeout_s + max(LOOK_UP_LAG_S, known.look_up_lag_s)


def _is_stale(desk: Desk, order: Order) -> bool:
    """Whether the exchange would not accept a SENT order's request any more. Its sender may still be waiting: an answer
    that comes is written as well, and asking meanwhile does no harm."""
    return desk.now() - sent_at(order) > timedelta(seconds=desk.settings.execution.recv_window_ms / 1000 + SKEW_S)


def _look_up(desk: Desk, order: Order, result: LookedUp) -> bool:
    unknown = order.state == OrderState.UNKNOWN
    said = _said(desk, order) if unknown else []
    if unknown:
        _alert_if_it_lasts(desk, order, said)
    try:
        found = _asked(desk, order)
        if found is not None:
            take(desk, order, found, "looked up by client order id")
            return True
        if unknown:
            return _not_found(desk, order, said)
        return _denied(desk, order, result)
    except VenueError:
        # No evidence: the state stays (RELIABILITY invariant 18), and empty look-ups before it were not in a row.
        if unknown and _empty_in_a_row(said):
            _note(desk, order, FAILED, "info")
        return False


def _asked(desk: Desk, order: Order) -> VenueOrder | None:
    try:
        return desk.venue.order(order.symbol, order.client_order_id)
    except OrderNotFound:
        return None


def _denied(desk: Desk, order: Order, result: LookedUp) -> bool:
    """An order that was acknowledged and that a look-up does not find: closed orders, then it counts as denied."""
    if may_be_missing(desk, order):
        return False
    if is_listed_as_closed(desk, order):
        return True
    result.denied.append(order.client_order_id)
    return False


def _not_found(desk: Desk, order: Order, said: Sequence[Event]) -> bool:
    """ABSENT only beyond bound and lag, after three empty look-ups in a row, and with every other trace searched."""
    before = _empty_in_a_row(said)
    late = desk.now() - sent_at(order) > timedelta(seconds=absent_after_s(desk))
    concluding = late and before + 1 >= LOOK_UPS_BEFORE_ABSENT
    if concluding and is_listed_as_closed(desk, order):
        return True
    if before < LOOK_UPS_BEFORE_ABSENT:
        _note(desk, order, NOT_FOUND, "info" if before else "warning")
    if not concluding or _has_traces(desk, order):
        return False
    evidence = "never reached the exchange: bound passed, no trace in orders, trades and balances"
    desk.ledger.mark_absent(order.client_order_id, evidence)
    count(desk, "look_up", "OutcomeUnknown", "resolve", recovered=True)
    return True


def _has_traces(desk: Desk, order: Order) -> bool:
    """Whether trades since the send or balances may be its doing. Raises VenueError."""
    book_new_trades(desk, order.symbol, since=sent_at(order))
    listed = {found.order_id for found in desk.venue.orders(order.symbol, sent_at(order) - LISTED_BEFORE)}
    for fill in desk.ledger.fills(desk.account, order.symbol, limit=FILLS_MAX):
        unexplained = not fill.managed and fill.venue_order_id not in listed
        if unexplained and fill.at >= sent_at(order) and fill.side == order.request.side:
            return True  # It may be this order's: the list of orders lags behind the list of trades.
    reading = desk.venue.account()
    if _may_have_filled(order, residuals_of(desk, reading)):
        return True
    return rests_unlisted(order, reading, desk.venue.open_orders())


def _may_have_filled(order: Order, gaps: Mapping[str, Decimal]) -> bool:
    """Whether base and quote have both moved as a fill of this side moves them: deposits and withdrawals do not."""
    base, quote = (gaps.get(asset, Decimal(0)) for asset in order.symbol.split("/"))
    return base > 0 > quote if order.request.side == Side.BUY else base < 0 < quote


def _said(desk: Desk, order: Order) -> list[Event]:
    """What was noted about this order since it was sent, newest first."""
    return desk.ledger.events(desk.account, sent_at(order), EVENTS_MAX, client_order_id=order.client_order_id)


def _empty_in_a_row(said: Sequence[Event]) -> int:
    count = 0
    for event in said:
        if event.kind == FAILED:
            break
        count += event.kind == NOT_FOUND
    return count


def _alert_if_it_lasts(desk: Desk, order: Order, said: Sequence[Event]) -> None:
    lasting = desk.now() - sent_at(order) > timedelta(seconds=desk.settings.positions.unknown_alert_s)
    if lasting and all(event.kind != LASTS for event in said):
        detail = {"role": str(order.role), "sent_at": sent_at(order).isoformat(), "evidence": order.last_evidence}
        _note(desk, order, LASTS, "error", detail)
        count(desk, "look_up", "OutcomeUnknown", "resolve", recovered=False)


def _note(desk: Desk, order: Order, kind: str, severity: str, detail: Mapping[str, object] | None = None) -> None:
    event = Event(desk.now(), kind, severity, desk.account, order.symbol, None, order.client_order_id, detail or {})
    desk.ledger.record_event(event)
