"""A take-profit rests only beside the stop, as one order list with it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trade_pipeline.errors import FilterViolation
from trade_pipeline.schemas.trading import OrderState, OrderType, Role, VenueOrder
from trade_pipeline.venues.capabilities import capabilities_of
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, lost, make_rules
from trade_pipeline_tests.execution.guard.exit_room import HELD, OFFERED, TARGET, at, guarded, resting, state_of

SWITCHING = {
    **TARGET,
    "switching": {"enabled": True, "stop_threshold": "0.5", "profit_threshold": "0.8", "cooldown_s": 60},
}
STOP, PROFIT = OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT
PAIR = [STOP, PROFIT]


@pytest.fixture(autouse=True)
def offered(room: Room) -> None:
    room.venue.rules[BTC] = make_rules(order_types=OFFERED)


def types(room: Room) -> list[OrderType]:
    return [order.type for order in resting(room)]


def legs(room: Room) -> tuple[VenueOrder, VenueOrder]:
    """The stop and the take-profit that rest."""
    stop, profit = resting(room)
    return stop, profit


def test_near_the_target_a_take_profit_rests_beside_the_stop_and_further_down_the_stop_alone(room: Room) -> None:
    """On the way from 95.02 to 105.03: 0.8 is 103.03, 0.5 is 100.03. The way back does not wait for the cool-down."""
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103")
    assert types(room) == [STOP]
    at(room, guard, "103.5")
    stop, profit = legs(room)
    assert (stop.type, stop.stop_price, stop.amount) == (STOP, Decimal("95.02"), HELD)
    assert (profit.type, profit.stop_price, profit.amount) == (PROFIT, Decimal("105.03"), HELD)
    assert state_of(room).protection == "profit"
    at(room, guard, "101")
    assert types(room) == PAIR
    at(room, guard, "100")
    assert types(room) == [STOP]
    assert state_of(room).protection == "stop"


def test_both_legs_are_orders_of_the_ledger_with_intents_of_their_own_and_count_once(room: Room) -> None:
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    live = room.ledger.live_orders("main")
    assert {order.role for order in live} == {Role.PROTECT, Role.PROTECT_BESIDE}
    assert {order.client_order_id for order in live} == {order.client_order_id for order in resting(room)}
    intents = [room.ledger.intent(order.intent_id) for order in live]
    assert {intent.reason for intent in intents if intent} == {"stop loss", "take profit"}
    assert room.ledger.verify().findings == ()


def test_a_pair_that_rests_needs_nothing_more(room: Room) -> None:
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    count = len(room.venue.created)
    for _ in range(4):
        at(room, guard, "103.5", 6)
    assert (len(room.venue.created), types(room)) == (count, PAIR)


def test_after_a_switch_the_take_profit_waits_for_the_cool_down(room: Room) -> None:
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    at(room, guard, "100")
    at(room, guard, "103.5")
    assert types(room) == [STOP]
    at(room, guard, "103.5", 60)
    assert types(room) == PAIR


def test_a_refused_pair_is_rolled_back_in_the_same_cycle(room: Room) -> None:
    guard = guarded(room, **SWITCHING)
    room.venue.faults["pair"].append(FilterViolation("too many algo orders"))
    at(room, guard, "103.5")
    (stop,) = resting(room)
    assert (stop.type, stop.amount) == (STOP, HELD)
    assert state_of(room).protection == "stop"
    at(room, guard, "103.5", 5)
    assert [order.client_order_id for order in resting(room)] == [stop.client_order_id]


def test_a_switch_that_a_crash_interrupted_ends_at_the_stop(room: Room) -> None:
    """Between cancel and placing: the next guard finds nothing at rest and arms the stop."""
    guard = guarded(room, **SWITCHING)

    class Died(BaseException):
        pass

    def dies(above, below):  # type: ignore[no-untyped-def]  # stands in for create_pair
        raise Died

    create, room.venue.create_pair = room.venue.create_pair, dies  # type: ignore[method-assign]  # the process ends
    with pytest.raises(Died):
        at(room, guard, "103.5")
    room.venue.create_pair = create  # type: ignore[method-assign]  # as it was
    assert resting(room) == []
    assert state_of(room).protection == "switching"
    second = room.guard()
    for _ in range(8):
        at(room, second, "103.5", 6)
    assert types(room) == [STOP]


@pytest.mark.parametrize(("fault", "ends_as"), [("pair_after", PAIR), ("pair", [STOP])])
def test_a_pair_whose_answer_was_lost_is_looked_up_leg_by_leg_and_never_sent_again(
    room: Room, fault: str, ends_as: list[OrderType]
) -> None:
    """There: both are adopted. Not there: both are absent after the bound, and the stop rests."""
    guard = guarded(room, **SWITCHING)
    room.venue.faults[fault].append(lost())
    at(room, guard, "103.5")
    unknown = [order for order in room.ledger.live_orders("main") if order.state == OrderState.UNKNOWN]
    assert len(unknown) == 2
    for _ in range(8):
        at(room, guard, "103.5", 6)
    assert types(room) == ends_as
    assert [request.type for request in room.venue.created].count(PROFIT) == 1


def test_a_take_profit_that_the_price_has_passed_is_left_to_the_exchange(room: Room) -> None:
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    count = len(room.venue.created)
    at(room, guard, "105.2")
    assert len(room.venue.created) == count


def test_a_filled_take_profit_ends_its_stop_locks_and_is_named_as_one(room: Room) -> None:
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    _, profit = legs(room)
    room.venue.prices[BTC] = "105.2"
    room.venue.fill(profit.client_order_id)
    at(room, guard, "105.2", 6)
    assert room.ledger.closed_trades("main")[0].exit_reason == "take profit"
    assert [lock.strategy for lock in room.ledger.locks("main", room.clock())] == ["trend"]
    assert room.ledger.live_orders("main") == []


def test_a_filled_stop_ends_its_take_profit(room: Room) -> None:
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    stop, profit = legs(room)
    room.venue.prices[BTC] = "94"
    room.venue.fill(stop.client_order_id)
    at(room, guard, "94", 6)
    ended = room.ledger.order(profit.client_order_id)
    assert ended is not None
    assert (ended.state, room.ledger.live_orders("main")) == (OrderState.EXPIRED, [])
    assert room.ledger.closed_trades("main")[0].exit_reason == "stop loss"


def test_the_rest_of_a_take_profit_that_the_price_has_left_gets_a_stop_again(room: Room) -> None:
    """A first fill of one leg ends the other: what is left would rest without a stop."""
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    _, profit = legs(room)
    room.venue.prices[BTC] = "105.2"
    room.venue.fill(profit.client_order_id, Decimal("0.4"))
    at(room, guard, "105.2", 6)
    assert types(room) == [PROFIT]
    at(room, guard, "104", 1)
    assert [(order.type, order.amount) for order in resting(room)] == [(kind, Decimal("0.599")) for kind in PAIR]


def test_a_breach_that_the_exchange_did_not_sell_takes_both_legs_away_and_sells(room: Room) -> None:
    """The stop's limit was gapped."""
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    at(room, guard, "90")
    assert room.venue.created[-1].type == OrderType.MARKET
    assert (resting(room), room.held() < Decimal("0.001")) == ([], True)


def test_a_decision_to_leave_takes_both_legs_away(room: Room) -> None:
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    room.want(None)
    assert (resting(room), room.held() < Decimal("0.001")) == ([], True)


def test_a_pair_follows_a_position_that_has_grown(room: Room) -> None:
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    room.ledger.adopt("main", BTC, Decimal(1), Decimal(100), room.clock(), "came late")
    room.venue.totals["BTC"] += Decimal(1)
    at(room, guard, "103.5", 6)
    assert [(order.type, order.amount) for order in resting(room)] == [(kind, Decimal("1.999")) for kind in PAIR]


def test_without_order_lists_the_stop_is_never_given_up_and_that_is_said_once(room: Room) -> None:
    room.venue.capabilities = replace(capabilities_of("binance"), oco=False)
    guard = guarded(room, **SWITCHING)
    for _ in range(3):
        at(room, guard, "103.5")
    assert types(room) == [STOP]
    kinds = [event.kind for event in room.ledger.events("main")]
    assert kinds.count("switching_not_offered") == 1
    at(room, guard, "106")
    assert types(room) == [OrderType.LIMIT]


def test_where_no_take_profit_is_offered_the_stop_stays(room: Room) -> None:
    del room.venue.rules[BTC]
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    assert types(room) == [STOP]
