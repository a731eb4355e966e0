"""What the ledger's tables say, read raw: one query, exact numbers, no code of the ledger's own.

Only what the invariants ask for. Nothing here judges, and nothing here knows how the ledger computes its projections.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeVar

import psycopg2


@dataclass(frozen=True, slots=True)
class IntentRow:
    intent_id: str
    decision_id: str | None
    symbol: str
    role: str
    side: str
    amount: Decimal
    reason: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class OrderRow:
    client_order_id: str
    intent_id: str
    attempt: int
    symbol: str
    role: str
    side: str
    type: str
    amount: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    state: str
    venue_order_id: str | None
    filled: Decimal
    quote_filled: Decimal
    planned_at: datetime
    sent_at: datetime | None
    last_evidence: str


@dataclass(frozen=True, slots=True)
class OrderEventRow:
    id: int
    client_order_id: str
    at: datetime
    state: str
    evidence: str


@dataclass(frozen=True, slots=True)
class FillRow:
    symbol: str
    trade_id: str
    venue_order_id: str
    side: str
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_asset: str
    fee_quote: Decimal | None
    at: datetime


@dataclass(frozen=True, slots=True)
class FlowRow:
    id: int
    kind: str
    asset: str
    amount: Decimal
    at: datetime
    symbol: str | None
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class PositionRow:
    symbol: str
    amount: Decimal
    cost_quote: Decimal
    realised_total_quote: Decimal
    fees_total_quote: Decimal


@dataclass(frozen=True, slots=True)
class SleeveRow:
    symbol: str
    strategy: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class CashRow:
    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class DecisionRow:
    decision_id: str
    as_of: datetime
    decided_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class EventRow:
    id: int
    at: datetime
    kind: str
    severity: str
    symbol: str | None
    client_order_id: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LockRow:
    strategy: str
    symbol: str
    reason: str
    locked_at: datetime
    until: datetime | None
    unlocked_at: datetime | None


Row = TypeVar("Row")

_TABLES: Mapping[str, tuple[type, str, str]] = {
    "intents": (IntentRow, "ledger.intents", "created_at"),
    "orders": (OrderRow, "ledger.orders", "planned_at"),
    "fills": (FillRow, "ledger.fills", "at"),
    "flows": (FlowRow, "ledger.flows", "id"),
    "positions": (PositionRow, "ledger.positions", "symbol"),
    "sleeves": (SleeveRow, "ledger.sleeves", "symbol"),
    "cash": (CashRow, "ledger.cash", "asset"),
    "decisions": (DecisionRow, "ledger.decisions", "as_of"),
    "events": (EventRow, "ledger.events", "id"),
    "locks": (LockRow, "ledger.locks", "id"),
}


@dataclass(frozen=True)
class Book:
    """One account's rows, oldest first in every list."""

    intents: list[IntentRow]
    orders: list[OrderRow]
    order_events: list[OrderEventRow]
    fills: list[FillRow]
    flows: list[FlowRow]
    positions: list[PositionRow]
    sleeves: list[SleeveRow]
    cash: list[CashRow]
    decisions: list[DecisionRow]
    events: list[EventRow]
    locks: list[LockRow]

    @classmethod
    def of(cls, **rows: list[Any]) -> Book:
        """A book of which only some tables have rows: what hand-built evidence needs."""
        return cls(**{item.name: rows.get(item.name, []) for item in fields(cls)})

    @cached_property
    def order_by_client_id(self) -> Mapping[str, OrderRow]:
        return {order.client_order_id: order for order in self.orders}

    @cached_property
    def intent_by_id(self) -> Mapping[str, IntentRow]:
        return {intent.intent_id: intent for intent in self.intents}

    @cached_property
    def history(self) -> Mapping[str, list[OrderEventRow]]:
        """Client order id -> its events, oldest first."""
        found: dict[str, list[OrderEventRow]] = {order.client_order_id: [] for order in self.orders}
        for event in self.order_events:
            found.setdefault(event.client_order_id, []).append(event)
        return found


@dataclass(frozen=True, slots=True)
class AtArrival:
    """What the ledger said when a request reached the exchange; None where it has no such row."""

    state: str | None
    lease_holder: str | None
    lease_until: datetime | None


class BookReader:
    """One connection that reads whole accounts. Raises psycopg2.Error where the database refuses."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(_plain_url(url), options="-c timezone=UTC")
        self._connection.autocommit = True

    def read(self, account: str) -> Book:
        """Everything of the account, as one consistent reading."""
        with self._connection.cursor() as cursor:
            cursor.execute(_QUERY, {"account": account})
            (text,) = cursor.fetchone()
        tables = json.loads(text, parse_float=Decimal)
        rows: dict[str, list[Any]] = {
            name: [_row(kind, item) for item in tables[name]] for name, (kind, _, _) in _TABLES.items()
        }
        events = [_row(OrderEventRow, item) for item in tables["order_events"]]
        return Book(order_events=events, **rows)

    def at_arrival(self, account: str, client_order_id: str) -> AtArrival:
        """What is committed now about one order and the account's lease."""
        with self._connection.cursor() as cursor:
            cursor.execute(_AT_ARRIVAL, {"account": account, "client_order_id": client_order_id})
            return AtArrival(*cursor.fetchone())

    def close(self) -> None:
        self._connection.close()


def _listed(kind: type, source: str, order: str) -> str:
    columns = ", ".join(f'x."{item.name}"' for item in fields(kind))
    return f"(select coalesce(json_agg(row_to_json(r)), '[]') from (select {columns} from {source} order by {order}) r)"  # noqa: S608  # names of this module


def _query() -> str:
    parts = [
        f"'{name}', {_listed(kind, f'{table} x where x.account = %(account)s', f'x.{order}')}"
        for name, (kind, table, order) in _TABLES.items()
    ]
    joined = "ledger.order_events x join ledger.orders o using (client_order_id) where o.account = %(account)s"
    parts.append(f"'order_events', {_listed(OrderEventRow, joined, 'x.id')}")
    return f"select json_build_object({', '.join(parts)})::text"


_QUERY = _query()
_AT_ARRIVAL = """
    select (select state from ledger.orders where client_order_id = %(client_order_id)s and account = %(account)s),
           l.holder, l.expires_at
    from (select 1) one left join ledger.leases l on l.account = %(account)s
"""


def _row(kind: type[Row], item: Mapping[str, Any]) -> Row:
    return kind(**{name: _value(_KINDS[kind][name], value) for name, value in item.items()})


def _value(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind.startswith("Decimal"):
        return Decimal(value)
    return datetime.fromisoformat(value) if kind.startswith("datetime") else value


_KINDS: Mapping[type, Mapping[str, str]] = {
    kind: {item.name: str(item.type) for item in fields(kind)}
    for kind in (OrderEventRow, *(kind for kind, _, _ in _TABLES.values()))
}


def _plain_url(url: str) -> str:
    """SQLAlchemy's URL as libpq reads it."""
    return url.replace("postgresql+psycopg2://", "postgresql://", 1)
