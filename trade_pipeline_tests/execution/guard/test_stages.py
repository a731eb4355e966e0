"""Partial exits: each once, its rest protected."""

from __future__ import annotations

from decimal import Decimal

from trade_pipeline.schemas.trading import OrderType
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.guard.exit_room import STOPS, at, guarded, resting, state_of

STAGES = {"stages": [{"profit_ratio": "0.02", "share": "0.5"}, {"profit_ratio": "0.04", "share": "0.25"}]}


def test_a_stage_sells_its_share_and_the_rest_is_protected_within_the_next_cycle(room: Room) -> None:
    guard = guarded(room, **STAGES)
    at(room, guard, "102.5")
    at(room, guard, "102.5")
    limit, stop = resting(room)
    assert (limit.type, limit.amount, stop.type in STOPS, stop.amount) == (
        OrderType.LIMIT,
        Decimal("0.500"),
        True,
        Decimal("0.499"),
    )
    room.venue.fill(limit.client_order_id)
    at(room, guard, "102.5", 6)
    (stop,) = resting(room)
    assert (room.held(), stop.amount) == (Decimal("0.499"), Decimal("0.499"))
    assert room.ledger.locks("main", room.clock())[0].strategy == "*"


def test_a_stage_that_is_partly_filled_sells_the_rest_of_its_share_only(room: Room) -> None:
    guard = guarded(room, **STAGES)
    at(room, guard, "102.5")
    (limit,) = resting(room)
    room.venue.fill(limit.client_order_id, Decimal("0.2"))
    at(room, guard, "102.5", 5)
    at(room, guard, "102.5", 1)
    assert room.held() == Decimal("0.499")


def test_a_stage_is_taken_once_even_when_the_guard_restarts(room: Room) -> None:
    guard = guarded(room, **STAGES, tactics=[{"kind": "market"}])
    at(room, guard, "102.5")
    assert room.held() == Decimal("0.499")
    second = room.guard()
    for _ in range(3):
        at(room, second, "102.5", 6)
    assert (room.held(), state_of(room).stages_done) == (Decimal("0.499"), 1)
    at(room, second, "105", 6)
    assert room.held() == Decimal("0.249")


def test_a_stage_is_not_bought_back(room: Room) -> None:
    guard = guarded(room, **STAGES, tactics=[{"kind": "market"}])
    at(room, guard, "102.5")
    room.want("1")
    assert room.held() == Decimal("0.499")
