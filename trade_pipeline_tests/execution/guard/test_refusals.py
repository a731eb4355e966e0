"""What the exchange refuses is tried again later; nothing that protects waits for it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from trade_pipeline.errors import OrderRefused
from trade_pipeline.execution.guard.cycle import Guard, run_once
from trade_pipeline.schemas.trading import OrderRequest, OrderType, Side, VenueOrder
from trade_pipeline_tests.execution.conflicts.steps import allow
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC
from trade_pipeline_tests.execution.guard.exit_room import guarded


def refusing(room: Room, is_refused: Callable[[OrderRequest], bool]) -> Callable[[], None]:
    """The exchange refuses some orders until what this returns is called."""
    create = room.venue.create

    def picky(request: OrderRequest) -> VenueOrder:
        if is_refused(request):
            raise OrderRefused("not now")
        return create(request)

    def over() -> None:
        room.venue.create = create  # type: ignore[method-assign]  # as it was

    room.venue.create = picky  # type: ignore[method-assign]  # stands in until it is over
    return over


def seconds_until(room: Room, guard: Guard, done: Callable[[], bool], at_most: int) -> int:
    for second in range(at_most):
        run_once(guard)
        if done():
            return second
        room.clock.advance(1)
    return at_most


def stops(room: Room) -> list[VenueOrder]:
    return [order for order in room.venue.open_orders() if order.stop_price]


def test_a_breach_is_sold_at_once_however_often_its_stop_was_refused(room: Room) -> None:
    room.want("1")
    refusing(room, lambda request: request.stop_price is not None)
    guard = room.guard()
    seconds_until(room, guard, lambda: False, 40)
    assert (stops(room), room.held()) == ([], Decimal("0.999"))
    room.venue.prices[BTC] = "50"
    assert seconds_until(room, guard, lambda: room.held() == 0, 40) <= 2


def test_a_refused_sale_is_tried_again_every_two_seconds_while_no_stop_can_rest(room: Room) -> None:
    guard = guarded(room)
    over = refusing(room, lambda request: request.type is OrderType.MARKET)
    room.venue.prices[BTC] = "80"
    seconds_until(room, guard, lambda: False, 30)
    assert room.held() == Decimal("0.999")
    over()
    assert seconds_until(room, guard, lambda: room.held() == 0, 40) <= 2


def test_a_stop_rests_again_when_the_price_is_back_above_it_and_the_sale_is_refused(room: Room) -> None:
    guard = guarded(room)
    refusing(room, lambda request: request.type is OrderType.MARKET)
    room.venue.prices[BTC] = "80"
    room.clock.advance(1)
    run_once(guard)
    assert stops(room) == []
    room.venue.prices[BTC] = "100"
    assert seconds_until(room, guard, lambda: bool(stops(room)), 40) <= 2


@pytest.mark.parametrize("seconds", [20, 70])
def test_an_emergency_sale_outlives_every_refusal(room: Room, seconds: int) -> None:
    """No rule would decide it anew: it goes on until nothing is left."""
    allow(room, position_short="emergency_flatten")
    guard = guarded(room)
    over = refusing(room, lambda request: request.side is Side.SELL)
    room.venue.cancel(BTC, stops(room)[0].client_order_id)
    room.venue.totals["BTC"] = Decimal("0.5")
    seconds_until(room, guard, lambda: False, seconds)
    over()
    assert seconds_until(room, guard, lambda: room.held() == 0, 60) < 60


def test_a_defect_in_one_turn_is_told_and_the_watch_goes_on(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = guarded(room)
    with monkeypatch.context() as broken:
        broken.setattr(type(guard), "_watch", lambda _: 1 // 0)
        (said,) = run_once(guard)
    assert said.startswith("defect: ZeroDivisionError: integer division")
    assert run_once(guard) == []


def test_a_stop_that_was_refused_for_long_rests_five_seconds_after_it_is_accepted_again(room: Room) -> None:
    room.want("1")
    over = refusing(room, lambda request: request.stop_price is not None)
    guard = room.guard()
    seconds_until(room, guard, lambda: False, 40)
    over()
    assert seconds_until(room, guard, lambda: bool(stops(room)), 40) <= 5
