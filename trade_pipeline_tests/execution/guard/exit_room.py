"""A guard over one position that was bought at 100.02, and what its tests look at."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.ledger.records import ExitState
from trade_pipeline.schemas.trading import OrderType, TimeInForce, VenueOrder
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC

TARGET = {"take_profit": [{"after_minutes": 0, "profit_ratio": "0.05"}]}

STOPS = {OrderType.STOP_LOSS_LIMIT, OrderType.STOP_LOSS}

OFFERED = frozenset({"LIMIT", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})

HELD = Decimal("0.999")


def guarded(room: Room, **exits: object) -> Guard:
    """A guard with these exit settings, of an account that has bought 1 BTC at 100.02 with a stop 5 below."""
    tree = room.desk.settings.model_dump(mode="json")
    settings = Settings.model_validate({**tree, "exits": {**tree["exits"], **exits}})
    room.desk = replace(room.desk, settings=settings)
    room.want("1")
    guard = room.guard()
    guard.cycle()
    return guard


def at(room: Room, guard: Guard, price: str, seconds: float = 1) -> list[str]:
    """One cycle later, with this last trade."""
    room.venue.prices[BTC] = price
    room.clock.advance(seconds)
    return guard.cycle()


def resting(room: Room) -> list[VenueOrder]:
    return sorted(room.venue.open_orders(), key=lambda order: order.type)


def state_of(room: Room) -> ExitState:
    state = room.ledger.exit_state("main", BTC)
    assert state is not None
    return state


def sent(room: Room, since: int) -> list[tuple[OrderType, TimeInForce | None]]:
    return [(request.type, request.time_in_force) for request in room.venue.created[since:]]
