"""Between records and rows: conversions in both directions, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from typing import Any

from sqlalchemy import Row

from trade_pipeline import redaction
from trade_pipeline.ledger.records import (
    ClosedTrade,
    Decision,
    Event,
    Fill,
    Intent,
    Order,
    Target,
)
from trade_pipeline.schemas.trading import (
    AccountSnapshot,
    OrderRequest,
    OrderState,
    OrderType,
    Position,
    Role,
    Side,
    TargetKind,
    TimeInForce,
)

AnyRow = Row[Any]

# Looked up once: a reconciliation reads thousands of orders.
_PLAIN_OF_ORDER = tuple(item.name for item in fields(Order) if item.name not in {"role", "state", "request"})
_plain_of_order = attrgetter(*_PLAIN_OF_ORDER)


def amounts_to_json(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    """Decimals as text: JSON's numbers would lose digits."""
    return {name: str(amount) for name, amount in sorted(amounts.items())}


def amounts_from_json(values: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in values.items()}


def plain(value: object) -> Any:
    """A value as JSON-ready data: Decimals and times as text, records as objects. What is unknown becomes text."""
    if value is None or isinstance(value, bool | int | float) or type(value) is str:
        return value
    if isinstance(value, Enum | datetime):
        return value.isoformat() if isinstance(value, datetime) else str(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value)


def snapshot_values(snapshot: AccountSnapshot) -> dict[str, object]:
    values = asdict(snapshot)
    for name in ("positions", "open_entries", "marks"):
        values[name] = amounts_to_json(values[name])
    return values


def snapshot_from(row: AnyRow) -> AccountSnapshot:
    values = dict(row._mapping)
    for name in ("positions", "open_entries", "marks"):
        values[name] = amounts_from_json(values[name])
    return AccountSnapshot(**values)


def decision_values(decision: Decision) -> dict[str, object]:
    values = {item.name: getattr(decision, item.name) for item in fields(decision)}
    return values | {"inputs": plain(decision.inputs), "detail": plain(decision.detail)}


def decision_from(row: AnyRow) -> Decision:
    return Decision(**row._mapping)


def target_values(target: Target) -> dict[str, object]:
    values = {item.name: getattr(target, item.name) for item in fields(target)}
    return values | {"kind": str(target.kind), "sleeves": amounts_to_json(target.sleeves)}


def target_from(row: AnyRow) -> Target:
    values = dict(row._mapping)
    return Target(**values | {"kind": TargetKind(row.kind), "sleeves": amounts_from_json(row.sleeves)})


def intent_values(intent: Intent) -> dict[str, object]:
    values = {item.name: getattr(intent, item.name) for item in fields(intent)}
    return values | {"role": str(intent.role), "side": str(intent.side), "sleeves": amounts_to_json(intent.sleeves)}


def intent_from(row: AnyRow) -> Intent:
    values = dict(row._mapping)
    return Intent(
        **values | {"role": Role(row.role), "side": Side(row.side), "sleeves": amounts_from_json(row.sleeves)}
    )


def request_values(request: OrderRequest) -> dict[str, object]:
    return {
        "client_order_id": request.client_order_id,
        "symbol": request.symbol,
        "side": str(request.side),
        "type": str(request.type),
        "amount": request.amount,
        "price": request.price,
        "stop_price": request.stop_price,
        "time_in_force": None if request.time_in_force is None else str(request.time_in_force),
    }


def order_from(row: AnyRow) -> Order:
    request = OrderRequest(
        client_order_id=row.client_order_id,
        symbol=row.symbol,
        side=Side(row.side),
        type=OrderType(row.type),
        amount=row.amount,
        price=row.price,
        stop_price=row.stop_price,
        time_in_force=None if row.time_in_force is None else TimeInForce(row.time_in_force),
    )
    plain_values = dict(zip(_PLAIN_OF_ORDER, _plain_of_order(row), strict=True))
    return Order(role=Role(row.role), state=OrderState(row.state), request=request, **plain_values)


def fill_from(row: AnyRow) -> Fill:
    """A row of fills joined with the order's client id, null when the order is not ours."""
    own: dict[str, Any] = {"side": Side(row.side), "managed": row.client_order_id is not None}
    names = (item.name for item in fields(Fill))
    return Fill(**{name: own[name] if name in own else getattr(row, name) for name in names})


def position_from(row: AnyRow) -> Position:
    return Position(**{item.name: getattr(row, item.name) for item in fields(Position)})


def closed_trade_from(row: AnyRow) -> ClosedTrade:
    return ClosedTrade(**{item.name: getattr(row, item.name) for item in fields(ClosedTrade)})


def event_values(event: Event) -> dict[str, object]:
    # Redacted before anything is computed of it: what is stored must be what was sealed.
    detail = redaction.current().value(plain(event.detail))
    return {item.name: getattr(event, item.name) for item in fields(event)} | {"detail": detail}


def event_from(row: AnyRow) -> Event:
    return Event(**{item.name: getattr(row, item.name) for item in fields(Event)})
