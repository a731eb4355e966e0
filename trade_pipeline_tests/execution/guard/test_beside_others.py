"""Somebody else's order locks coins of a position: what is left has its stop, and no more is asked for or sold."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.execution.readback.others import locked_by
from trade_pipeline.schemas.trading import OrderState, OrderType, Side, VenueOrder
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC
from trade_pipeline_tests.execution.guard.exit_room import HELD, at, guarded, resting
from trade_pipeline_tests.fakes import START, make_request

THEIRS = "web_order_1"


def they_offer(room: Room, amount: str) -> None:
    """By hand: our stop is cancelled and a limit order far above takes its coins."""
    room.venue.cancel(BTC, resting(room)[0].client_order_id)
    room.venue.create(make_request(THEIRS, side=Side.SELL, amount=Decimal(amount), price=Decimal(200)))


def stops(room: Room) -> list[VenueOrder]:
    return [order for order in resting(room) if order.client_order_id != THEIRS]


def after_readings(room: Room, guard: Guard, price: str = "100", readings: int = 3) -> None:
    for _ in range(readings):
        at(room, guard, price, 6)


def test_the_rest_of_the_position_has_its_stop_and_nothing_is_asked_for_again(room: Room) -> None:
    guard = guarded(room)
    they_offer(room, "0.4")
    after_readings(room, guard)
    assert [stop.amount for stop in stops(room)] == [HELD - Decimal("0.4")]
    sent = len(room.venue.created)
    after_readings(room, guard, readings=10)
    assert len(room.venue.created) == sent


def test_their_coins_are_stopped_again_once_their_order_is_gone(room: Room) -> None:
    guard = guarded(room)
    they_offer(room, "0.4")
    after_readings(room, guard)
    room.venue.cancel(BTC, THEIRS)
    after_readings(room, guard)
    assert [stop.amount for stop in stops(room)] == [HELD]


def test_coins_that_are_not_managed_cover_their_order_first(room: Room) -> None:
    guard = guarded(room)
    room.venue.totals["BTC"] += Decimal("0.4")
    they_offer(room, "0.4")
    after_readings(room, guard)
    assert [stop.amount for stop in stops(room)] == [HELD]


def test_a_position_that_is_locked_whole_is_told_and_nothing_is_sent_for_it(room: Room) -> None:
    guard = guarded(room)
    they_offer(room, str(HELD))
    after_readings(room, guard)
    sent = len(room.venue.created)
    after_readings(room, guard, readings=10)
    assert len(room.venue.created) == sent
    assert [row.kind for row in room.ledger.open_conflicts("main")] == ["protection_missing"]
    assert "foreign_order" in {row.kind for row in room.ledger.conflicts("main")}


def test_an_exit_sells_what_they_do_not_lock(room: Room) -> None:
    guard = guarded(room)
    they_offer(room, "0.4")
    after_readings(room, guard)
    at(room, guard, "90")
    at(room, guard, "90")
    assert room.venue.totals["BTC"] == Decimal("0.4")
    assert [order.client_order_id for order in resting(room)] == [THEIRS]


def test_equity_counts_the_coins_that_they_lock(room: Room) -> None:
    guard = guarded(room)
    before = room.ledger.equity("main")[-1].equity_quote
    they_offer(room, "0.4")
    after_readings(room, guard, readings=15)
    assert room.ledger.equity("main")[-1].equity_quote == before


def test_a_refused_sale_is_not_followed_by_one_of_less_than_the_minimum(room: Room) -> None:
    """RELIABILITY 16: fewer coins are there than thought, and what is there is not worth an order."""
    guard = guarded(room)
    room.venue.cancel(BTC, resting(room)[0].client_order_id)
    room.venue.totals["BTC"] = Decimal("0.02")
    sent = len(room.venue.created)
    at(room, guard, "94")
    sales = [request for request in room.venue.created[sent:] if request.type != OrderType.STOP_LOSS_LIMIT]
    assert [request.amount for request in sales] == [HELD], "refused, and nothing after it"
    assert room.venue.totals["BTC"] == Decimal("0.02")


def a_listed_order_that_locks_nothing(room: Room, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    """A leg that waits for another order's fill, or an order that is gone from the balance, read later."""
    (stop,) = resting(room)
    listed = room.venue.open_orders
    theirs = replace(
        stop, order_id="999", client_order_id=THEIRS, type=OrderType.LIMIT, price=Decimal(200), venue_status=status
    )
    monkeypatch.setattr(room.venue, "open_orders", lambda symbol=None: [*listed(symbol), theirs])


@pytest.mark.parametrize("status", ["NEW", "PENDING_NEW"])
def test_our_own_stop_is_never_taken_for_what_they_lock(
    room: Room, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    guard = guarded(room)
    (before,) = resting(room)
    a_listed_order_that_locks_nothing(room, monkeypatch, status)
    after_readings(room, guard, readings=8)
    assert [stop.client_order_id for stop in stops(room)] == [before.client_order_id]
    at(room, guard, "90")
    assert room.held() == 0


def test_a_leg_that_waits_for_its_turn_locks_nothing() -> None:
    leg = VenueOrder(
        order_id="1", client_order_id=THEIRS, symbol=BTC, side=Side.SELL, type=OrderType.LIMIT, amount=Decimal(2),
        filled=Decimal(0), quote_filled=Decimal(0), state=OrderState.OPEN, venue_status="PENDING_NEW",
        price=Decimal(200), stop_price=None, created_at=START, updated_at=START,
    )  # fmt: skip
    assert locked_by([leg], "BTC") == 0
    assert locked_by([replace(leg, venue_status="NEW")], "BTC") == 2
