"""Orders that the exchange has accepted once and now denies: what proves that one is over, and its end in the ledger.

An order that rests locks its coins. What is locked beyond everything that is listed may be its doing; what listed
orders lock, ours or somebody else's, proves nothing. Nothing here sends or cancels.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.errors import LedgerError, LedgerUnavailable, VenueError
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.readback.found import is_listed_as_closed, sent_at
from trade_pipeline.execution.readback.others import locked_by
from trade_pipeline.execution.sending.submit import book_new_trades, halt
from trade_pipeline.ledger.records import Event, Order
from trade_pipeline.schemas.order_states import is_live
from trade_pipeline.schemas.trading import AccountReading, OrderState, Side, VenueOrder

LOOK_UP_LAG_S = 5.0
"""How long after its acceptance bound an order may still be missing from look-ups."""
LOCK_TOLERANCE = Decimal(2)
"""Exchanges round what they lock, and an order may be filled in part: half of it is trace enough."""
VETO_MAX = timedelta(seconds=10)
"""For so long an order whose cancel was refused as unknown may keep its position from being sold, because as much as
it would lock is locked by nothing that is listed. Then it is over: what is free can be sold."""


def may_be_missing(desk: Desk, order: Order) -> bool:
    """Whether the order is so new that look-ups may not have it yet."""
    return desk.now() - (order.acknowledged_at or sent_at(order)) <= timedelta(seconds=LOOK_UP_LAG_S)


def rests_unlisted(order: Order, reading: AccountReading, listed: Iterable[VenueOrder]) -> bool:
    """Whether as much is locked beyond all listed orders as this one would lock: it rests, and the lists are behind."""
    base, quote = order.symbol.split("/")
    asset = base if order.request.side == Side.SELL else quote
    balance = reading.balances.get(asset)
    beyond = (balance.locked if balance else Decimal(0)) - locked_by(listed, asset)
    price = Decimal(1) if asset == base else order.request.price or order.request.stop_price or Decimal(0)
    return 0 < order.remaining * price <= beyond * LOCK_TOLERANCE


def end(desk: Desk, order: Order, evidence: str) -> Order:
    """CANCELED with the quantity of its trades. Raises LedgerError: the ledger knows of something that contradicts."""
    desk.ledger.apply_venue_order(desk.account, _ended(order), evidence)
    return desk.ledger.order(order.client_order_id) or order


def end_if_nowhere(desk: Desk, order: Order) -> Order:
    """After a cancel that was refused as unknown and a look-up by id that found nothing: ended, where that is proven.

    Not while it is new, nor while the exchange cannot be read: then it stays as it is.
    """
    now = desk.ledger.order(order.client_order_id) or order
    if now.venue_order_id is None or not is_live(now.state) or may_be_missing(desk, now):
        return now
    try:
        evidence = _proof(desk, now)
        now = desk.ledger.order(now.client_order_id) or now
        if evidence is None or not is_live(now.state):
            return now
        now = end(desk, now, evidence)
    except VenueError:
        return now
    except LedgerUnavailable:
        raise
    except LedgerError as error:
        halt(desk, now.symbol, str(error), now.client_order_id)
        return now
    detail = {"why": evidence, "role": str(now.role)}
    event = Event(desk.now(), "order_denied", "error", desk.account, now.symbol, None, now.client_order_id, detail)
    desk.ledger.record_event(event)
    return now


def _proof(desk: Desk, order: Order) -> str | None:
    """Why the order is over: it is in no list, what it has traded is booked, and it locks nothing or has had its time.

    None: it may still rest. Raises VenueError.
    """
    if is_listed_as_closed(desk, order):
        return None
    listed = desk.venue.open_orders()
    if any(found.client_order_id == order.client_order_id for found in listed):
        return None
    book_new_trades(desk, order.symbol, since=sent_at(order))
    if not rests_unlisted(order, desk.venue.account(), listed):
        return "the exchange does not cancel it, has it in no list and locks nothing for it"
    if desk.now() - _asked_at(desk, order) > VETO_MAX:
        return "the exchange does not cancel it and has it in no list; what is locked is not in its lists either"
    return None


def _asked_at(desk: Desk, order: Order) -> datetime:
    """When its cancel was first asked for."""
    asked = [
        event.at
        for event in desk.ledger.order_events(order.client_order_id)
        if event.state == OrderState.PENDING_CANCEL
    ]
    return max(asked, default=desk.now())


def _ended(order: Order) -> VenueOrder:
    request, venue_id = order.request, order.venue_order_id
    assert venue_id is not None, "it was acknowledged"
    return VenueOrder(
        order_id=venue_id,
        client_order_id=order.client_order_id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        amount=request.amount,
        filled=order.filled,
        quote_filled=order.quote_filled,
        state=OrderState.CANCELED,
        venue_status="missing",
        price=request.price,
        stop_price=request.stop_price,
        created_at=order.planned_at,
        updated_at=order.updated_at,
    )
