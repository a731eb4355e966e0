"""A stop that follows the best price, and how one stop takes another's place."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trade_pipeline.errors import CancelReplaceFailed, FilterViolation, WouldTriggerImmediately
from trade_pipeline.schemas.trading import PROTECTIVE, OrderState, OrderType, Role
from trade_pipeline.venues.capabilities import capabilities_of
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import lost
from trade_pipeline_tests.execution.guard.exit_room import at, guarded, resting, state_of


def test_a_resting_stop_follows_the_best_price_up_and_never_down(room: Room) -> None:
    guard = guarded(room, trailing={"enabled": True, "distance_ratio": "0.03"})
    prices = []
    for price in ("104", "110", "107", "109", "112"):
        at(room, guard, price, 6)
        (stop,) = resting(room)
        prices.append(stop.stop_price)
    assert prices == [Decimal(text) for text in ("100.88", "106.70", "106.70", "106.70", "108.64")]


def test_a_small_rise_does_not_move_the_stop(room: Room) -> None:
    guard = guarded(room, trailing={"enabled": True, "distance_ratio": "0.03", "move_ratio_min": "0.01"})
    at(room, guard, "104", 6)
    count = len(room.venue.created)
    at(room, guard, "104.9", 6)
    assert len(room.venue.created) == count
    assert state_of(room).detail["stop"] == "101.75"


def test_a_restarted_guard_knows_the_highest_price_of_before(room: Room) -> None:
    guard = guarded(room, trailing={"enabled": True, "distance_ratio": "0.03", "move_ratio_min": "0.5"})
    at(room, guard, "110", 6)
    second = room.guard()
    at(room, second, "106.6", 1)
    assert room.venue.created[-1].type == OrderType.MARKET
    assert room.ledger.closed_trades("main")[0].exit_reason.startswith("trailing stop")


def test_a_new_position_does_not_inherit_the_highs_of_the_one_before(room: Room) -> None:
    guard = guarded(room, trailing={"enabled": True, "distance_ratio": "0.03"}, lock_cooldown_s=0)
    at(room, guard, "110", 6)
    at(room, guard, "100", 6)
    assert room.held() < Decimal("0.001")
    at(room, guard, "100", 6)
    room.want("1")
    at(room, guard, "100", 6)
    (stop,) = resting(room)
    assert stop.stop_price == Decimal("97.00")


def test_breakeven_moves_the_stop_above_the_entry(room: Room) -> None:
    guard = guarded(room, breakeven_profit_ratio="0.03")
    at(room, guard, "103.5", 6)
    (stop,) = resting(room)
    assert stop.stop_price == Decimal("100.22")


def test_targets_and_trailing_may_be_set_in_average_true_ranges(room: Room) -> None:
    """Sized with 3 of them: a distance of 5 is an average true range of 1.67."""
    guard = guarded(room, atr_target_multiple=6, trailing={"enabled": True, "distance_ratio": "0.5", "atr_multiple": 2})
    assert state_of(room).detail["target"] == "110.02"
    at(room, guard, "108", 6)
    (stop,) = resting(room)
    assert stop.stop_price == Decimal("104.66")


TRAILING = {"trailing": {"enabled": True, "distance_ratio": "0.03"}}
ENDED = {OrderState.CANCELED, OrderState.FILLED}


def protections(room: Room) -> list[tuple[OrderState, Role]]:
    """State and role of each stop that the ledger knows, oldest first."""
    found = [order for order in room.ledger.orders("main") if order.role in PROTECTIVE]
    return [(order.state, order.role) for order in reversed(found)]


def test_a_stop_is_moved_in_one_step_of_the_exchange(room: Room) -> None:
    """There is no moment without a stop: nothing is cancelled by itself."""
    guard = guarded(room, **TRAILING)
    for price in ("104", "110"):
        at(room, guard, price, 6)
    assert (room.venue.cancelled, len(room.venue.replaced)) == ([], 2)
    assert protections(room) == [
        (OrderState.CANCELED, Role.PROTECT),
        (OrderState.CANCELED, Role.PROTECT_BESIDE),
        (OrderState.OPEN, Role.PROTECT),
    ]
    assert room.ledger.verify().findings == ()


def test_where_the_exchange_has_no_such_step_it_is_cancelled_and_placed(room: Room) -> None:
    room.venue.capabilities = replace(capabilities_of("binance"), cancel_replace=False)
    guard = guarded(room, **TRAILING)
    (first,) = resting(room)
    at(room, guard, "104", 6)
    (second,) = resting(room)
    assert (room.venue.cancelled, room.venue.replaced) == ([first.client_order_id], [])
    assert second.stop_price == Decimal("100.88")


def test_a_stop_that_could_not_be_cancelled_stays_and_nothing_is_sent(room: Room) -> None:
    guard = guarded(room, **TRAILING)
    (first,) = resting(room)
    room.venue.faults["replace"].append(CancelReplaceFailed("Order cancel-replace failed."))
    at(room, guard, "104", 6)
    assert [order.client_order_id for order in resting(room)] == [first.client_order_id]
    assert protections(room) == [(OrderState.OPEN, Role.PROTECT), (OrderState.REJECTED, Role.PROTECT_BESIDE)]
    at(room, guard, "104", 6)
    (moved,) = resting(room)
    assert moved.stop_price == Decimal("100.88")


def test_a_stop_that_had_sold_before_it_was_replaced_is_booked_and_not_placed_again(room: Room) -> None:
    guard = guarded(room, **TRAILING)
    (first,) = resting(room)
    room.clock.advance(4)
    guard.cycle()
    room.venue.fill(first.client_order_id)
    at(room, guard, "104", 2)
    assert (resting(room), room.held() < Decimal("0.001")) == ([], True)
    assert protections(room) == [(OrderState.FILLED, Role.PROTECT), (OrderState.REJECTED, Role.PROTECT_BESIDE)]
    assert room.ledger.closed_trades("main")[0].exit_reason == "stop loss"


def test_a_stop_that_was_being_filled_is_not_replaced_by_one_of_its_old_size(room: Room) -> None:
    """The exchange refuses the step: what the old one has sold meanwhile would be sold again."""
    guard = guarded(room, **TRAILING)
    (first,) = resting(room)
    room.clock.advance(4)
    guard.cycle()
    room.venue.fill(first.client_order_id, Decimal("0.249"))
    at(room, guard, "104", 2)
    (stop,) = resting(room)
    assert (room.held(), stop.amount, stop.stop_price) == (Decimal("0.750"), Decimal("0.750"), Decimal("100.88"))
    assert room.venue.cancelled == [first.client_order_id], "cancelled and confirmed before it is sized again"
    states = [state for state, _ in protections(room)]
    assert states == [OrderState.CANCELED, OrderState.REJECTED, OrderState.OPEN]
    assert room.ledger.verify().findings == ()


def test_a_half_that_was_refused_is_made_good_in_the_same_cycle(room: Room) -> None:
    """The old stop is gone and the new one was refused: the stop is placed by itself."""
    guard = guarded(room, **TRAILING)
    room.venue.faults["replace_half"].append(FilterViolation("too many algo orders"))
    at(room, guard, "104", 6)
    (stop,) = resting(room)
    assert stop.stop_price == Decimal("100.88")
    states = [state for state, _ in protections(room)]
    assert states == [OrderState.CANCELED, OrderState.REJECTED, OrderState.OPEN]


def test_a_new_stop_that_would_trigger_at_once_is_an_exit_now(room: Room) -> None:
    guard = guarded(room, **TRAILING)
    room.venue.faults["replace_half"].append(WouldTriggerImmediately("Stop price would trigger immediately."))
    at(room, guard, "104", 6)
    assert room.venue.created[-1].type == OrderType.MARKET
    assert (resting(room), room.held() < Decimal("0.001")) == ([], True)


@pytest.mark.parametrize("fault", ["replace_after", "replace_half", "replace"])
def test_a_replacement_whose_answer_was_lost_is_looked_up_and_sent_once(room: Room, fault: str) -> None:
    """Done, half done, or never arrived: while nobody knows, nothing else is sent for the coins."""
    guard = guarded(room, **TRAILING)
    room.venue.faults[fault].append(lost())
    at(room, guard, "104", 6)
    count = len(room.venue.replaced)
    room.venue.faults["order"] += [lost()] * 2
    at(room, guard, "104", 1)
    assert (len(room.venue.replaced), room.venue.cancelled) == (count, [])
    for _ in range(10):
        at(room, guard, "104", 6)
    (stop,) = resting(room)
    assert stop.stop_price == Decimal("100.88")
    live = room.ledger.live_orders("main")
    assert [order.client_order_id for order in live] == [stop.client_order_id]
    assert {state for state, _ in protections(room)} <= ENDED | {OrderState.OPEN, OrderState.ABSENT}


@pytest.mark.parametrize("after", [False, True])
def test_a_guard_that_dies_while_it_replaces_leaves_one_stop_to_the_next(room: Room, after: bool) -> None:
    guard = guarded(room, **TRAILING)

    class Died(BaseException):
        pass

    def dies(symbol, old, request):  # type: ignore[no-untyped-def]  # stands in for cancel_replace
        if after:
            replaced(symbol, old, request)
        raise Died

    replaced = room.venue.cancel_replace
    room.venue.cancel_replace = dies  # type: ignore[method-assign]  # the process ends while it sends
    with pytest.raises(Died):
        at(room, guard, "104", 6)
    room.venue.cancel_replace = replaced  # type: ignore[method-assign]  # as it was
    assert len(resting(room)) == 1
    second = room.guard()
    for _ in range(8):
        at(room, second, "104", 6)
    (stop,) = resting(room)
    assert stop.stop_price == Decimal("100.88")
    assert [order.client_order_id for order in room.ledger.live_orders("main")] == [stop.client_order_id]
