"""Orders that the exchange forgets: whatever others lock, the position gets its stop back and can be sold."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trade_pipeline.errors import OrderNotFound
from trade_pipeline.execution.guard.cycle import Guard, run_once
from trade_pipeline.execution.readback.denied import VETO_MAX
from trade_pipeline.execution.readback.others import locked_by
from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import (
    AccountReading,
    Balance,
    OrderRequest,
    OrderState,
    OrderType,
    Side,
    VenueOrder,
)
from trade_pipeline_tests.execution.conflicts.steps import THEIRS, allow, holding, outcomes
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC
from trade_pipeline_tests.fakes import make_request
from trade_pipeline_tests.reliability.conftest import BOUGHT, later, only_stop

DUST = Decimal("0.001")


def beside_a_foreign_sell(room: Room) -> Guard:
    """5 BTC more are somebody else's, and 2 of them are offered."""
    room.venue.totals["BTC"] = Decimal(5)
    guard = holding(room)
    room.venue.create(make_request(THEIRS, side=Side.SELL, amount=Decimal(2), price=Decimal(200)))
    later(room, guard, 10)
    return guard


def ours(room: Room) -> list[VenueOrder]:
    return [order for order in room.venue.open_orders() if order.client_order_id != THEIRS]


def forgotten(room: Room) -> VenueOrder:
    """The exchange loses our stop."""
    (stop,) = ours(room)
    del room.venue.book[stop.client_order_id]
    # The fake counts its orders to number them: what was forgotten keeps its number.
    room.venue.book["nobody's"] = replace(stop, client_order_id="nobody's", order_id="0", state=OrderState.CANCELED)
    return stop


def known(room: Room, stop: VenueOrder) -> Order:
    order = room.ledger.order(stop.client_order_id)
    assert order is not None
    return order


def seconds_until_sold(room: Room, guard: Guard, price: str, most: int = 40) -> int:
    room.venue.prices[BTC] = price
    for second in range(1, most + 1):
        later(room, guard, 1)
        if room.held() < DUST:
            return second
    return most + 1


def everything_locked(room: Room) -> None:
    """The account says that all coins are locked, by nothing that is listed."""
    account = room.venue.account

    def locked() -> AccountReading:
        told = account()
        return replace(told, balances={**told.balances, "BTC": Balance("BTC", Decimal(0), told.total("BTC"))})

    room.venue.account = locked  # type: ignore[method-assign]  # says so from now on


def test_what_somebody_else_locks_does_not_hide_that_our_stop_is_gone(room: Room) -> None:
    guard = beside_a_foreign_sell(room)
    stop = forgotten(room)
    later(room, guard, cycles=3)
    assert known(room, stop).state == OrderState.CANCELED
    assert [order.amount for order in ours(room)] == [BOUGHT]
    assert outcomes(room, "missing_order") == ["found", "resolved"]


@pytest.mark.parametrize("policy", ["exchange_first", "halt"])
def test_a_gone_stop_delays_its_exit_by_no_more_than_two_seconds(room: Room, policy: str) -> None:
    allow(room, missing_order=policy)
    guard = beside_a_foreign_sell(room)
    forgotten(room)
    assert seconds_until_sold(room, guard, "50") <= 2
    assert {order.client_order_id for order in room.venue.open_orders()} == {THEIRS}, "others' orders stay"


def test_a_decision_to_leave_sells_although_the_stop_is_gone(room: Room) -> None:
    beside_a_foreign_sell(room)
    forgotten(room)
    room.want(None)
    assert room.held() < DUST


def test_a_replaced_stop_that_the_exchange_forgets_does_not_keep_its_successor_from_moving(room: Room) -> None:
    guard = holding(room)
    later(room, guard, 10)
    real = room.venue.cancel_replace

    def forgets(symbol: str, client_order_id: str, request: OrderRequest) -> VenueOrder:
        made = real(symbol, client_order_id, request)
        del room.venue.book[client_order_id]
        return made

    room.venue.cancel_replace = forgets  # type: ignore[method-assign]  # one that forgets the old order
    room.venue.totals["USDT"] += 1000
    room.want("2")
    later(room, guard, cycles=4)
    (stop,) = room.ledger.live_orders("main")
    assert stop.request.amount == 2 * BOUGHT
    assert seconds_until_sold(room, guard, "50") <= 2


def test_coins_that_nothing_listed_locks_keep_a_position_from_being_sold_for_a_bounded_time_only(room: Room) -> None:
    guard = holding(room)
    later(room, guard, 10)
    stop = forgotten(room)
    real = room.venue.account
    everything_locked(room)
    room.venue.prices[BTC] = "50"
    later(room, guard, 1, cycles=5)
    assert known(room, stop).state == OrderState.PENDING_CANCEL, "it may still rest"
    later(room, guard, 1, cycles=int(VETO_MAX.total_seconds()))
    assert known(room, stop).state == OrderState.CANCELED
    room.venue.account = real  # type: ignore[method-assign]  # free again
    later(room, guard, 1, cycles=3)
    assert room.held() < DUST


def test_a_halted_conflict_ends_as_soon_as_the_others_locks_are_gone(room: Room) -> None:
    guard = holding(room)
    later(room, guard, 10)
    stop, real = forgotten(room), room.venue.account
    everything_locked(room)
    later(room, guard, cycles=4)
    assert known(room, stop).state == OrderState.OPEN
    assert BTC in room.desk.halts()
    assert "position_unprotected" in [event.kind for event in room.ledger.events("main")]
    assert outcomes(room, "protection_missing") == ["found"]
    room.venue.account = real  # type: ignore[method-assign]  # nothing is locked any more
    later(room, guard, cycles=2)
    assert known(room, stop).state == OrderState.CANCELED
    assert only_stop(room).amount == BOUGHT
    assert room.desk.halts() == {}


def test_a_cancel_that_is_refused_as_unknown_while_the_order_is_listed_ends_nothing(room: Room) -> None:
    guard = holding(room)
    later(room, guard, 10)
    stop = only_stop(room)
    room.venue.faults["cancel"] += [OrderNotFound("unknown order sent")] * 50
    room.venue.faults["order"] += [OrderNotFound("no such order")] * 50
    room.venue.prices[BTC] = "50"
    later(room, guard, 1, cycles=15)
    assert known(room, stop).state == OrderState.PENDING_CANCEL
    assert run_once(guard)


def test_two_legs_that_share_their_coins_lock_them_once(room: Room) -> None:
    room.venue.totals["BTC"] = Decimal(5)
    stop = make_request("a", side=Side.SELL, type=OrderType.STOP_LOSS_LIMIT, stop_price=Decimal(91), price=Decimal(90))
    profit = make_request("b", side=Side.SELL, type=OrderType.TAKE_PROFIT_LIMIT, stop_price=Decimal(110))
    room.venue.create_pair(profit, stop)
    room.clock.advance(1)
    room.venue.create(make_request("c", side=Side.SELL))
    room.venue.create(make_request("d", price=Decimal(50)))
    assert locked_by(room.venue.open_orders(), "BTC") == 2
    assert locked_by(room.venue.open_orders(), "USDT") == 50
