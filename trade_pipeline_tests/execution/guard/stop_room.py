"""What the tests of resting stops look at."""

from __future__ import annotations

from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.schemas.trading import VenueOrder
from trade_pipeline_tests.execution.conftest import Room


def only_stop(room: Room) -> VenueOrder:
    (stop,) = room.venue.open_orders()
    return stop


def later(room: Room, guard: Guard, seconds: float = 6) -> list[str]:
    """One cycle of the guard that reads the account again."""
    room.clock.advance(seconds)
    return guard.cycle()
