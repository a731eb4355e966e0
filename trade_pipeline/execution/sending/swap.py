"""Protective orders that share their coins: one takes the other's place in one step, or both are one order list.

The exchange does it in one step, so at no moment the coins are without an order; here stand the two records of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from trade_pipeline.errors import VenueError
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.sending.submit import Sending, after_fills, apply, send_together
from trade_pipeline.ledger.records import Intent, Lease, Order
from trade_pipeline.schemas.order_states import is_live
from trade_pipeline.schemas.trading import PROTECTIVE, OrderRequest, OrderState, Role, VenueOrder

IN_DOUBT = frozenset({OrderState.SENT, OrderState.UNKNOWN})
NOT_SENT = frozenset({OrderState.REJECTED, OrderState.ABANDONED, OrderState.ABSENT})
"""Ends of an order that the exchange does not have."""


def role_beside(order: Order) -> Role:
    """The role of a protective order that shares the coins of this one."""
    (role,) = PROTECTIVE - {order.role}
    return role


def replace_order(desk: Desk, lease: Lease, old: Order, intent: Intent, request: OrderRequest) -> Order:
    """Let a new protective order take the place of `old`, in one step; returns the new one as the ledger has it.

    Meanwhile `old` stays as the exchange last told of it: what was asked of it is what the new order's record says.
    Where nobody knows what became of the new one, nobody knows of the old one either, and reconciliation asks for
    both. Else the old one is looked up: it is gone if the new one is there, and may or may not be gone if not.
    """
    sending = Sending(intent, request, beside=old.client_order_id)
    (new,) = send_together(
        desk, lease, [sending], lambda: [desk.venue.cancel_replace(old.symbol, old.client_order_id, request)]
    )
    if new.state not in IN_DOUBT:
        _settle_replaced(desk, old, new)
    return new


def _settle_replaced(desk: Desk, old: Order, new: Order) -> None:
    named, why = old.client_order_id, f"replaced by {new.client_order_id}"
    try:
        apply(desk, desk.venue.order(old.symbol, named), why)
        left = after_fills(desk, old)
    except VenueError:
        left = desk.ledger.order(named) or old
    if is_live(left.state) and new.state not in NOT_SENT:
        # Certainly cancelled, and what it had filled before is not known yet: that is what this state says.
        desk.ledger.mark_pending_cancel(named, why)


def send_pair(
    desk: Desk, lease: Lease, below: tuple[Intent, OrderRequest], above: tuple[Intent, OrderRequest]
) -> tuple[Order, Order]:
    """A stop below and a take-profit above as one order list: whichever acts first ends the other.

    Accepted or refused whole; what nobody knows is UNKNOWN in both, and each is looked up by its own client id.
    """
    stop, profit = Sending(*below), Sending(*above, beside=below[1].client_order_id)

    def transmit() -> Sequence[VenueOrder]:
        upper, lower = desk.venue.create_pair(above[1], below[1])
        return lower, upper

    lower, upper = send_together(desk, lease, [stop, profit], transmit)
    return lower, upper
