"""The room of the execution tests (real ledger, exchange in memory, a clock that stands still) and shorthands."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trade_pipeline.execution.guard.cycle import Guard, run_once
from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import OrderState, Role, VenueOrder
from trade_pipeline_tests.execution.conftest import Room, clock, room

__all__ = ["Room", "bought", "clock", "facts", "last_order", "later", "only_stop", "room"]

BOUGHT = Decimal("0.999")
"""1 BTC less the fee in BTC."""


@pytest.fixture
def bought(room: Room) -> Guard:
    """A guard of an account that has bought 1 BTC at 100.02; its stop rests at 95.02."""
    room.want("1")
    guard = room.guard()
    guard.cycle()
    assert room.held() == BOUGHT
    return guard


def later(room: Room, guard: Guard, seconds: float = 6, *, cycles: int = 1) -> list[str]:
    """Cycles of the guard that read the account again, each `seconds` after the last."""
    said: list[str] = []
    for _ in range(cycles):
        room.clock.advance(seconds)
        said += run_once(guard)
    return said


def only_stop(room: Room) -> VenueOrder:
    (stop,) = room.venue.open_orders()
    return stop


def last_order(room: Room, role: Role | None = None) -> Order:
    """The newest order in the ledger (of a role)."""
    return max(
        (order for order in room.ledger.orders("main") if role in {None, order.role}), key=lambda o: o.planned_at
    )


def states(room: Room) -> list[OrderState]:
    return [order.state for order in room.ledger.orders("main")]


def halted(room: Room) -> bool:
    """Whether entries of some symbol, or of all, are stopped: by a halt or by an open breaker."""
    return bool(room.desk.halts()) or any(row.state == "OPEN" for row in room.ledger.breakers("main"))


def facts(room: Room) -> dict[str, object]:
    """Everything of the ledger that a repair could change, and what has crossed the wire."""
    ledger = room.ledger
    return {
        "orders": [(o.client_order_id, o.state, o.filled) for o in ledger.orders("main")],
        "positions": [(p.symbol, p.amount, p.cost_quote) for p in ledger.positions("main")],
        "fills": [(f.symbol, f.trade_id, f.amount) for f in ledger.fills("main")],
        "balances": ledger.expected_balances("main"),
        "halts": room.desk.halts(),
        "created": len(room.venue.created),
        "cancelled": len(room.venue.cancelled),
    }
