"""An order's quantity comes from its trades: added up for many orders at once, with the step that they prove."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, func, select

from trade_pipeline.ledger.base import write_events
from trade_pipeline.ledger.entries import OURS
from trade_pipeline.ledger.order_rows import Change, change_orders
from trade_pipeline.ledger.records import Event, Order
from trade_pipeline.ledger.tables import fills, orders
from trade_pipeline.schemas.trading import OrderState

_MAY_START = frozenset({OrderState.SENT, OrderState.UNKNOWN, OrderState.OPEN})
_MAY_COMPLETE = _MAY_START | {OrderState.PARTIALLY_FILLED, OrderState.PENDING_CANCEL}
_NOTHING = (Decimal(0), Decimal(0))


def refresh_filled(connection: Connection, order: Order, now: datetime) -> Order:
    """One order's quantity from its trades; what it is then."""
    return refresh_all_filled(connection, [order], now).get(order.client_order_id, order)


def refresh_all_filled(connection: Connection, known: Sequence[Order], now: datetime) -> dict[str, Order]:
    """Quantities from trades, and the steps that they prove. Client order id -> the order, where it changed."""
    acknowledged = [order for order in known if order.venue_order_id is not None]
    sums = _sums(connection, [order.client_order_id for order in acknowledged])
    changes, events = [], []
    for order in acknowledged:
        filled, quote_filled = sums.get(order.client_order_id, _NOTHING)
        if (filled, quote_filled) == (order.filled, order.quote_filled):
            continue
        if filled > order.request.amount:
            detail = {"amount": order.request.amount, "filled": filled}
            named = order.client_order_id
            events.append(Event(now, "overfilled", "error", order.account, order.symbol, None, named, detail))
        values = {"filled": filled, "quote_filled": quote_filled}
        changes.append(Change(order, _state_by_fills(order, filled), f"trades add up to {filled}", values))
    write_events(connection, events)
    return {order.client_order_id: order for order in change_orders(connection, changes, now)}


def _sums(connection: Connection, named: Iterable[str]) -> Mapping[str, tuple[Decimal, Decimal]]:
    """Client order id -> base and quote of all its trades."""
    query = (
        select(orders.c.client_order_id, func.sum(fills.c.amount), func.sum(fills.c.price * fills.c.amount))
        .join_from(orders, fills, OURS)
        .where(orders.c.client_order_id.in_(list(named)))
        .group_by(orders.c.client_order_id)
    )
    return {name: (amount, quote) for name, amount, quote in connection.execute(query)}


def _state_by_fills(order: Order, filled: Decimal) -> OrderState:
    """What fills prove: life and, when complete, the end. A cancel under way stays so, an end stays an end."""
    if filled >= order.request.amount and order.state in _MAY_COMPLETE:
        return OrderState.FILLED
    return OrderState.PARTIALLY_FILLED if order.state in _MAY_START else order.state
