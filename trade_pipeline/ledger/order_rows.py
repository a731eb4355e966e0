"""Reading one order for a change, and changing it with its event: used by orders and by positions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Numeric,
    Text,
    bindparam,
    cast,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import TypeEngine

from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger import rows
from trade_pipeline.ledger.records import Order
from trade_pipeline.ledger.tables import order_events, orders
from trade_pipeline.schemas.trading import OrderState

# Built once: a statement that is built anew for every order costs more than its round trip.
_NAMED = select(orders).where(orders.c.client_order_id == bindparam("named"))
_LOCKED = _NAMED.with_for_update()
_CHANGE = update(orders).where(orders.c.client_order_id == bindparam("named")).returning(orders)
NEW_EVENT = insert(order_events).inline()
"""Inline: nobody asks for the id of its row, so nothing has to be answered."""


def _array(name: str, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    return cast(bindparam(name, type_=ARRAY(kind)), ARRAY(kind))


_NEW = (
    func.unnest(
        _array("named", Text()),
        _array("states", Text()),
        _array("evidence", Text()),
        _array("filled", Numeric()),
        _array("quote_filled", Numeric()),
    )
    .table_valued("client_order_id", "state", "last_evidence", "filled", "quote_filled", name="new")
    .render_derived()
)
_CHANGE_ALL = (
    update(orders)
    .where(orders.c.client_order_id == _NEW.c.client_order_id)
    .values(
        state=_NEW.c.state,
        updated_at=bindparam("now"),
        last_evidence=_NEW.c.last_evidence,
        filled=_NEW.c.filled,
        quote_filled=_NEW.c.quote_filled,
    )
    .returning(orders)
)


def order_named(connection: Connection, client_order_id: str) -> Order | None:
    row = connection.execute(_NAMED, {"named": client_order_id}).one_or_none()
    return rows.order_from(row) if row else None


def locked_order(connection: Connection, client_order_id: str) -> Order:
    """The order, its row locked until the transaction ends. LedgerError if it is not in the ledger."""
    row = connection.execute(_LOCKED, {"named": client_order_id}).one_or_none()
    if row is None:
        raise LedgerError(
            "the ledger has no such order",
            thing=f"order {client_order_id}",
            repair="An order on the exchange with our prefix needs an intent: plan it first, or cancel it there.",
        )
    return rows.order_from(row)


def locked_orders(connection: Connection, named: Collection[str]) -> dict[str, Order]:
    """Those of the orders that are in the ledger, by client order id, their rows locked."""
    query = select(orders).where(orders.c.client_order_id.in_(list(named))).order_by(orders.c.client_order_id)
    found = connection.execute(query.with_for_update()).all()
    return {row.client_order_id: rows.order_from(row) for row in found}


@dataclass(frozen=True, slots=True)
class Change:
    """A step of one order: its state, what says so, and `filled` and `quote_filled` where they change."""

    order: Order
    state: OrderState
    evidence: str
    values: Mapping[str, Decimal] = field(default_factory=dict)


def change_order(
    connection: Connection, order: Order, state: OrderState, evidence: str, now: datetime, **more: object
) -> Order:
    """Update the projection and append the event that says why, in the caller's transaction."""
    named = {"named": order.client_order_id, "state": str(state), "updated_at": now, "last_evidence": evidence}
    try:
        row = connection.execute(_CHANGE, more | named).one()
    except IntegrityError as error:
        raise LedgerError(
            "the exchange's order id belongs to another order of ours",
            thing=order.client_order_id,
            value=more.get("venue_order_id"),
            repair="Halt the symbol's entries and compare with `trade-pipeline explain`.",
        ) from error
    event = {"client_order_id": order.client_order_id, "at": now, "state": str(state), "evidence": evidence}
    connection.execute(NEW_EVENT, event | {"venue_order_id": row.venue_order_id})
    return rows.order_from(row)


def change_orders(connection: Connection, changes: Sequence[Change], now: datetime) -> list[Order]:
    """As `change_order` for many orders, each once, in two statements; in the order of `changes`."""
    if not changes:
        return []
    named, states, evidence, filled, quote_filled = zip(*map(_as_new, changes), strict=True)
    told = {"named": named, "states": states, "evidence": evidence, "filled": filled, "quote_filled": quote_filled}
    statement = _CHANGE_ALL, {name: list(values) for name, values in told.items()} | {"now": now}
    changed = {row.client_order_id: rows.order_from(row) for row in connection.execute(*statement)}
    ordered = [changed[change.order.client_order_id] for change in changes]
    # One statement for all of them: without RETURNING each row would travel by itself.
    connection.execute(insert(order_events).returning(order_events.c.id), [_event_of(order, now) for order in ordered])
    return ordered


def _as_new(change: Change) -> tuple[str, str, str, Decimal, Decimal]:
    order, given = change.order, change.values
    filled, quote_filled = given.get("filled", order.filled), given.get("quote_filled", order.quote_filled)
    return order.client_order_id, str(change.state), change.evidence, filled, quote_filled


def _event_of(order: Order, now: datetime) -> dict[str, object]:
    return {
        "client_order_id": order.client_order_id,
        "at": now,
        "state": str(order.state),
        "evidence": order.last_evidence,
        "venue_order_id": order.venue_order_id,
    }
