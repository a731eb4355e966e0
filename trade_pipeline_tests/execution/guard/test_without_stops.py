"""Where no stop can rest the guard is the protection: it sells at the price, and sends nothing like a stop."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trade_pipeline.schemas.trading import OrderType, Side
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, make_rules


@pytest.fixture
def room(room: Room) -> Room:
    """Of an exchange that rests no stops."""
    room.venue.rules[BTC] = make_rules(order_types=frozenset({"LIMIT", "LIMIT_MAKER", "MARKET"}))
    room.want("1")
    return room


def test_nothing_rests_nothing_is_refused_and_nobody_calls_the_position_naked(room: Room) -> None:
    guard = room.guard()
    sent = len(room.venue.created)
    for _ in range(20):
        room.clock.advance(6)
        guard.cycle()
    assert len(room.venue.created) == sent
    assert room.venue.open_orders() == []
    kinds = {event.kind for event in room.ledger.events("main")}
    assert not {"protection_refused", "position_unprotected"} & kinds
    assert room.held() > 0


def test_the_guard_sells_in_the_cycle_that_sees_the_stop_passed(room: Room) -> None:
    guard = room.guard()
    guard.cycle()
    room.venue.prices[BTC] = "90"
    room.clock.advance(1)
    guard.cycle()
    sale = room.venue.created[-1]
    assert (sale.side, sale.amount) == (Side.SELL, Decimal("0.999"))
    assert sale.type in {OrderType.LIMIT, OrderType.MARKET}
    assert room.held() == 0
