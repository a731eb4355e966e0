"""What the exchange says ends up in the ledger once, and what nobody knows is never guessed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trade_pipeline.errors import VenueUnavailable
from trade_pipeline.execution.desk import EVERY
from trade_pipeline.execution.ids import client_order_id
from trade_pipeline.execution.readback.reconcile import reconcile
from trade_pipeline.ledger.records import Flow, Order
from trade_pipeline.schemas.trading import FlowKind, OrderState, OrderType, Side, VenueOrder
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, lost
from trade_pipeline_tests.fakes import make_intent, make_request

NAMED = client_order_id("7c01", "main", "intent-1", 0)


def sent(room: Room) -> Order:
    """An order that was committed as SENT before its sender died; whether it left, nobody knows."""
    request = make_request(NAMED)
    room.ledger.plan_order(make_intent(created_at=room.clock()), request)
    lease = room.ledger.acquire_lease("main", "dead", 30)
    order = room.ledger.mark_sent(NAMED, lease, 0)
    room.ledger.release_lease(lease)
    return order


def state(room: Room) -> OrderState:
    order = room.ledger.order(NAMED)
    assert order is not None
    return order.state


def reached(room: Room) -> VenueOrder:
    return room.venue.create(make_request(NAMED))


def test_an_order_found_sent_at_a_restart_is_looked_up_and_adopted(room: Room) -> None:
    sent(room)
    reached(room)
    room.venue.fill(NAMED)
    reconcile(room.desk, at_start=True)
    assert state(room) == OrderState.FILLED
    assert room.held() == Decimal("0.999")


def test_an_order_found_sent_at_a_restart_that_rests_is_open(room: Room) -> None:
    sent(room)
    reached(room)
    reconcile(room.desk, at_start=True)
    assert state(room) == OrderState.OPEN


def test_an_order_that_is_just_being_sent_is_left_to_its_sender(room: Room) -> None:
    sent(room)
    reconcile(room.desk)
    assert state(room) == OrderState.SENT


def test_an_order_is_absent_only_after_the_bound_and_three_empty_look_ups(room: Room) -> None:
    sent(room)
    states = []
    for _ in range(4):
        reconcile(room.desk, at_start=True)
        states.append(state(room))
        room.clock.advance(2)
    assert states == [OrderState.UNKNOWN] * 4
    room.clock.advance(60)
    reconcile(room.desk)
    assert state(room) == OrderState.ABSENT
    kinds = [event.kind for event in room.ledger.events("main")]
    assert kinds.count("look_up_empty") == 3


def test_time_alone_does_not_make_an_order_absent(room: Room) -> None:
    sent(room)
    room.clock.advance(3600)
    reconcile(room.desk)
    reconcile(room.desk)
    assert state(room) == OrderState.UNKNOWN
    reconcile(room.desk)
    assert state(room) == OrderState.ABSENT


def test_an_order_is_not_absent_while_its_balances_say_otherwise(room: Room) -> None:
    """As a fill would: the base came and the quote went."""
    sent(room)
    room.venue.totals["BTC"] = Decimal(1)
    room.venue.totals["USDT"] -= Decimal(100)
    room.clock.advance(3600)
    for _ in range(5):
        reconcile(room.desk)
    assert state(room) == OrderState.UNKNOWN


def test_another_assets_residual_does_not_keep_an_order_unknown(room: Room) -> None:
    sent(room)
    room.venue.totals["XYZ"] = Decimal(7)
    room.clock.advance(3600)
    for _ in range(3):
        reconcile(room.desk)
    assert state(room) == OrderState.ABSENT


def test_an_order_that_appears_late_is_found(room: Room) -> None:
    """RELIABILITY statement 2: not found just after create, then found."""
    sent(room)
    reconcile(room.desk, at_start=True)
    reconcile(room.desk)
    reached(room)
    reconcile(room.desk)
    assert state(room) == OrderState.OPEN


def test_network_errors_never_count_as_not_found(room: Room) -> None:
    sent(room)
    room.clock.advance(3600)
    room.venue.faults["order"].extend([lost(), VenueUnavailable("maintenance"), lost(), lost()])
    for _ in range(4):
        reconcile(room.desk, at_start=True)
    assert state(room) == OrderState.UNKNOWN


def test_an_order_that_filled_unseen_is_booked_once(room: Room) -> None:
    """RELIABILITY statements 4, 7 and 8."""
    sent(room)
    reached(room)
    reconcile(room.desk)
    room.venue.fill(NAMED, Decimal("0.4"))
    room.venue.fill(NAMED, Decimal("0.6"))
    for _ in range(3):
        room.clock.advance(5)
        reconcile(room.desk, full=True)
    assert len(room.ledger.fills("main")) == 2
    assert room.held() == Decimal("0.999")
    assert state(room) == OrderState.FILLED


def test_a_cancelled_order_keeps_what_it_had_filled(room: Room) -> None:
    """RELIABILITY statement 28: the quantity comes from the trades."""
    sent(room)
    reached(room)
    room.venue.fill(NAMED, Decimal("0.25"))
    room.venue.cancel(BTC, NAMED)
    reconcile(room.desk, at_start=True)
    order = room.ledger.order(NAMED)
    assert order is not None
    assert (order.state, order.filled) == (OrderState.CANCELED, Decimal("0.25"))


@pytest.mark.parametrize("full", [False, True])
def test_reading_a_still_market_again_changes_and_sends_nothing(room: Room, full: bool) -> None:
    room.want("1")
    first = reconcile(room.desk, full=full)
    again = reconcile(room.desk, full=full)
    assert (first.new_fills, again.new_fills, again.changed, again.residuals) == (0, 0, (), {})
    assert len(room.venue.created) == 1


def test_a_foreign_trade_moves_balances_and_no_position(room: Room) -> None:
    request = make_request("feed" + "0" * 28, type=OrderType.MARKET, price=None)
    room.venue.create(request)
    room.clock.advance(5)
    found = reconcile(room.desk)
    assert found.residuals == {}
    assert room.held() == 0


def test_a_lasting_residual_halts_entries_until_it_is_explained(room: Room) -> None:
    guard = room.guard()
    room.venue.totals["USDT"] += 50
    guard.cycle()
    assert EVERY not in room.desk.halts()
    room.clock.advance(6)
    guard.cycle()
    assert "USDT +50" in room.desk.halts()[EVERY]
    assert "entries halted" in room.want("1").verdicts[BTC].reason
    room.ledger.book_flow(Flow("main", "USDT", FlowKind.DEPOSIT, Decimal(50), room.clock(), "by bank"))
    guard.cycle()
    assert room.desk.halts() == {}
    assert room.want("1").verdicts[BTC].action == "buy"


def test_a_halt_lets_a_position_be_sold(room: Room) -> None:
    room.want("1")
    room.venue.totals["XYZ"] = Decimal(7)
    guard = room.guard()
    for _ in range(2):
        guard.cycle()
        room.clock.advance(6)
    assert EVERY in room.desk.halts()
    room.want(None)
    assert room.venue.created[-1].side == Side.SELL
    assert room.held() < Decimal("0.001")


def test_restarts_add_no_orders(room: Room) -> None:
    """RELIABILITY statement 12."""
    room.want("1")
    for _ in range(4):
        room.guard().cycle()
        room.clock.advance(6)
    assert len(room.venue.created) == 2
