"""What the exchange says of one of our orders, taken over; and its list of closed orders, where look-ups find none."""

from __future__ import annotations

from datetime import datetime, timedelta

from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.locks import lock_after_exit
from trade_pipeline.execution.recovery import count
from trade_pipeline.execution.sending.submit import apply
from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import PROTECTIVE, OrderState, VenueOrder

LISTED_BEFORE = timedelta(seconds=60)
"""Closed orders are listed from this long before the send: the two clocks may differ."""


def sent_at(order: Order) -> datetime:
    return order.sent_at or order.planned_at


def take(desk: Desk, order: Order, found: VenueOrder, evidence: str) -> None:
    """The order becomes what was found."""
    if order.role in PROTECTIVE and found.filled > 0:
        # TRADING 13: written before the fill is booked, so that no plan sees the sale without the lock.
        lock_after_exit(desk, order)
    if apply(desk, found, evidence).state != OrderState.UNKNOWN == order.state:
        count(desk, "look_up", "OutcomeUnknown", "resolve", recovered=True)


def is_listed_as_closed(desk: Desk, order: Order) -> bool:
    """Whether the list of all orders has it; if so, what it says is taken over. Raises VenueError."""
    for listed in desk.venue.orders(order.symbol, sent_at(order) - LISTED_BEFORE):
        if listed.client_order_id == order.client_order_id:
            take(desk, order, listed, "listed among closed orders")
            return True
    return False
