"""Reading one order for a change, and changing it with its event: used by orders and by positions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger import rows
from trade_pipeline.ledger.records import Order
from trade_pipeline.ledger.tables import order_events, orders
from trade_pipeline.schemas.trading import OrderState


def order_named(connection: Connection, client_order_id: str) -> Order | None:
    row = connection.execute(select(orders).where(orders.c.client_order_id == client_order_id)).one_or_none()
    return rows.order_from(row) if row else None


def locked_order(connection: Connection, client_order_id: str) -> Order:
    """The order, its row locked until the transaction ends. LedgerError if it is not in the ledger."""
    query = select(orders).where(orders.c.client_order_id == client_order_id).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise LedgerError(
            "the ledger has no such order",
            thing=f"order {client_order_id}",
            repair="An order on the exchange with our prefix needs an intent: plan it first, or cancel it there.",
        )
    return rows.order_from(row)


def change_order(
    connection: Connection, order: Order, state: OrderState, evidence: str, now: datetime, **values: object
) -> Order:
    """Update the projection and append the event that says why, in the caller's transaction."""
    changed = values | {"state": str(state), "updated_at": now, "last_evidence": evidence}
    statement = (
        update(orders).where(orders.c.client_order_id == order.client_order_id).values(changed).returning(orders)
    )
    try:
        row = connection.execute(statement).one()
    except IntegrityError as error:
        raise LedgerError(
            "the exchange's order id belongs to another order of ours",
            thing=order.client_order_id,
            value=values.get("venue_order_id"),
            repair="Halt the symbol's entries and compare with `trade-pipeline explain`.",
        ) from error
    event = {"client_order_id": order.client_order_id, "at": now, "state": str(state), "evidence": evidence}
    connection.execute(insert(order_events).values(event | {"venue_order_id": row.venue_order_id}))
    return rows.order_from(row)
