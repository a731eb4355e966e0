"""Taking an order back: asked for as often as the table allows, confirmed, and never assumed.

What is cancelled is told by the exchange; until then the order stays PENDING_CANCEL and counts as live.
"""

from __future__ import annotations

from trade_pipeline.errors import (
    AuthenticationFailed,
    Banned,
    LedgerError,
    OrderNotFound,
    TradePipelineError,
    VenueError,
)
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.readback.denied import end_if_nowhere
from trade_pipeline.execution.recovery import Step, answer_for, attempted, count
from trade_pipeline.execution.sending.submit import after_fills, apply
from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.order_states import is_live
from trade_pipeline.schemas.trading import OrderState


def cancel(desk: Desk, order: Order, why: str) -> Order:
    """Cancel and confirm. The order returned is finished, or PENDING_CANCEL when nobody knows yet."""
    ledger, named = desk.ledger, order.client_order_id
    marked = ledger.mark_pending_cancel(named, why)
    if not is_live(marked.state):
        return marked
    outcome = attempted(
        desk,
        lambda: apply(desk, desk.venue.cancel(order.symbol, named), f"cancelled: {why}"),
        operation="cancel",
        since=desk.monotonic(),
        symbol=order.symbol,
        why_not_again=lambda: None,
    )
    if outcome.error is None or outcome.met is None:
        if outcome.met is not None:
            count(desk, "cancel", outcome.met.error, "retry", recovered=outcome.answer is not None)
        return after_fills(desk, order)
    return _not_cancelled(desk, order, outcome.error, outcome.met)


def _not_cancelled(desk: Desk, order: Order, error: TradePipelineError, step: Step) -> Order:
    """Nothing is assumed: it stays PENDING_CANCEL until the exchange says what became of it (RELIABILITY 5)."""
    if isinstance(error, LedgerError) and error.action == "halt":
        raise error
    if isinstance(error, (Banned, AuthenticationFailed)):
        # No look-up: it would be refused as well, and prolong a ban. The guard asks again.
        after = desk.ledger.order(order.client_order_id) or order
    else:
        # Not found means filled, cancelled, or not there yet: the look-up says which.
        after = _look_up_after_cancel(desk, order, error)
    if isinstance(error, VenueError):
        answer_for(desk, "cancel", step, None, recovered=after.state != OrderState.PENDING_CANCEL)
    return after


def _look_up_after_cancel(desk: Desk, order: Order, error: TradePipelineError) -> Order:
    try:
        found = desk.venue.order(order.symbol, order.client_order_id)
    except OrderNotFound:
        # Neither where orders are matched nor where they are looked up: it must not keep its position from being sold.
        if isinstance(error, OrderNotFound):
            return after_fills(desk, end_if_nowhere(desk, order))
        return desk.ledger.order(order.client_order_id) or order
    except TradePipelineError:
        return desk.ledger.order(order.client_order_id) or order
    if found.state in {OrderState.OPEN, OrderState.PARTIALLY_FILLED}:
        if error.action == "skip":
            return desk.ledger.mark_cancel_refused(order.client_order_id, f"cancel refused: {error}")
        return desk.ledger.order(order.client_order_id) or order
    apply(desk, found, "looked up after cancel")
    return after_fills(desk, order)
