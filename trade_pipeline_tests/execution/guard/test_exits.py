"""The guard leaves positions by the rules: targets, trailing stops, stages, time; step by step, across restarts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trade_pipeline.errors import FilterViolation
from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.ledger.records import ExitState
from trade_pipeline.schemas.trading import OrderState, OrderType, Role, TimeInForce, VenueOrder
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, lost, make_rules

TARGET = {"take_profit": [{"after_minutes": 0, "profit_ratio": "0.05"}]}
STOPS = {OrderType.STOP_LOSS_LIMIT, OrderType.STOP_LOSS}
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


def test_a_target_sells_by_a_limit_that_waits_then_at_once_then_at_the_market(room: Room) -> None:
    """Each step is one cycle's action; its stop is cancelled first and no lease is held in between."""
    guard = guarded(room, **TARGET)
    (stop,) = resting(room)
    before = len(room.venue.created)
    room.venue.share_filled = Decimal("0.5")
    at(room, guard, "106")
    assert room.venue.cancelled == [stop.client_order_id]
    (limit,) = resting(room)
    assert (limit.type, limit.price, limit.amount) == (OrderType.LIMIT, Decimal("106.02"), HELD)
    lease = room.ledger.acquire_lease("main", "somebody else", 15)
    room.ledger.release_lease(lease)
    at(room, guard, "106")
    assert len(room.venue.created) == before + 1
    at(room, guard, "106", 2)
    at(room, guard, "106", 1)
    assert sent(room, before) == [
        (OrderType.LIMIT, TimeInForce.GTC),
        (OrderType.LIMIT, TimeInForce.IOC),
        (OrderType.MARKET, None),
    ]
    assert room.held() < Decimal("0.001")
    assert room.ledger.closed_trades("main")[0].exit_reason == "take profit at 106"
    assert [lock.strategy for lock in room.ledger.locks("main", room.clock())] == ["trend"]


def test_all_steps_of_an_exit_are_attempts_of_one_intent_with_ids_of_their_own(room: Room) -> None:
    guard = guarded(room, **TARGET)
    room.venue.share_filled = Decimal("0.5")
    for seconds in (1, 3, 1):
        at(room, guard, "106", seconds)
    exits = [order for order in room.ledger.orders("main") if order.role == Role.EXIT]
    assert len({order.intent_id for order in exits}) == 1
    assert sorted(order.attempt for order in exits) == [0, 1, 2]
    assert len({order.client_order_id for order in exits}) == 3


def test_an_exit_is_not_repeated_while_nobody_knows_what_became_of_its_order(room: Room) -> None:
    """The intent's time-to-live does not matter then: UNKNOWN counts as live."""
    guard = guarded(room, **TARGET, intent_ttl_s=2)
    room.venue.faults["create"].append(lost())
    at(room, guard, "106")
    room.venue.faults["order"].extend([lost()] * 9)
    count = len(room.venue.created)
    for _ in range(8):
        at(room, guard, "106", 1)
    assert len(room.venue.created) == count
    (order,) = [order for order in room.ledger.orders("main") if order.role == Role.EXIT]
    assert order.state == OrderState.UNKNOWN


@pytest.mark.parametrize("deposit", [0, 100])
def test_an_exit_that_never_arrived_is_replaced_by_a_new_attempt(room: Room, deposit: int) -> None:
    """RELIABILITY 3: only after the bound, three empty look-ups and balances that no fill has changed."""
    guard = guarded(room, **TARGET)
    room.venue.faults["create"].append(lost())
    room.venue.totals["USDT"] += deposit
    room.venue.share_filled = Decimal(0)
    for _ in range(12):
        at(room, guard, "106", 6)
    exits = [order for order in room.ledger.orders("main") if order.role == Role.EXIT]
    assert [order.state for order in exits].count(OrderState.ABSENT) == 1
    assert len({order.client_order_id for order in exits}) == len(exits) >= 2
    assert room.held() < Decimal("0.001")


def test_a_target_that_is_passed_again_ends_with_its_time_to_live_and_the_stop_rests_again(room: Room) -> None:
    tactics = [{"kind": "ioc", "wait_s": 30, "slippage_ratio_max": "0.001"}, {"kind": "market"}]
    guard = guarded(room, **TARGET, tactics=tactics, intent_ttl_s=5, unprotected_s_max=60)
    room.venue.share_filled = Decimal(0)
    at(room, guard, "106")
    for _ in range(7):
        at(room, guard, "101")
    (stop,) = resting(room)
    assert (stop.type in STOPS, stop.amount) == (True, HELD)


def test_a_limit_that_left_residue_is_not_left_waiting(room: Room) -> None:
    """RELIABILITY 16: dust never blocks an exit."""
    guard = guarded(room, **TARGET)
    at(room, guard, "106")
    (limit,) = resting(room)
    room.venue.fill(limit.client_order_id, Decimal("0.98"))
    for _ in range(3):
        at(room, guard, "106", 5)
    assert resting(room) == []
    assert room.ledger.live_orders("main") == []


def test_a_breached_stop_overtakes_an_exit_that_waits(room: Room) -> None:
    guard = guarded(room, **TARGET, tactics=[{"kind": "limit_gtc", "wait_s": 9}, {"kind": "market"}])
    at(room, guard, "106")
    (limit,) = resting(room)
    at(room, guard, "94")
    assert limit.client_order_id in room.venue.cancelled
    assert room.venue.created[-1].type == OrderType.MARKET
    assert room.held() < Decimal("0.001")


def test_a_refused_sale_puts_the_stop_back_at_once(room: Room) -> None:
    guard = guarded(room, **TARGET)
    room.venue.faults["create"].append(FilterViolation("no limits now"))
    at(room, guard, "106")
    (stop,) = resting(room)
    assert (stop.type in STOPS, stop.amount) == (True, HELD)
    assert room.ledger.locks("main", room.clock()) == []
    at(room, guard, "106", 2)
    (limit,) = resting(room)
    assert limit.type == OrderType.LIMIT


def test_a_stop_that_finds_fewer_coins_than_it_thought_sells_those_at_once(room: Room) -> None:
    """RELIABILITY 17: what is free after our own locks are released bounds a sale; waiting for a reading costs."""
    guard = guarded(room)
    room.venue.cancel(BTC, resting(room)[0].client_order_id)
    room.venue.totals["BTC"] = Decimal("0.7")
    at(room, guard, "94")
    assert room.venue.totals["BTC"] == 0


def test_a_stop_whose_cancel_is_not_confirmed_is_not_followed_by_a_sale(room: Room) -> None:
    guard = guarded(room, **TARGET)
    count = len(room.venue.created)
    room.venue.faults["cancel"].append(lost())
    room.venue.faults["order"].append(lost())
    at(room, guard, "106")
    assert len(room.venue.created) == count


def test_fills_that_race_the_cancel_bound_what_is_sold(room: Room) -> None:
    """RELIABILITY 14 and 15: the remainder comes from fills."""
    guard = guarded(room, **TARGET)
    (stop,) = resting(room)
    room.venue.fill(stop.client_order_id, Decimal("0.4"))
    at(room, guard, "106")
    at(room, guard, "106")
    (limit,) = resting(room)
    assert limit.amount == Decimal("0.599")


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


def test_a_position_that_was_held_long_enough_is_sold(room: Room) -> None:
    guard = guarded(room, holding_hours_max=2)
    at(room, guard, "101", 7100)
    assert all(order.type in STOPS for order in resting(room))
    at(room, guard, "101", 110)
    (limit,) = resting(room)
    assert limit.type == OrderType.LIMIT


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


def test_what_a_position_was_remembered_by_is_dropped_with_it(room: Room) -> None:
    guard = guarded(room, **TARGET, tactics=[{"kind": "market"}])
    assert state_of(room).detail["target"] == "105.03"
    at(room, guard, "106")
    at(room, guard, "106")
    assert room.ledger.exit_state("main", BTC) is None


@pytest.mark.parametrize("fault", ["create", "create_after"])
def test_a_guard_that_dies_between_cancel_and_sale_is_followed_by_one_that_finishes(room: Room, fault: str) -> None:
    """What dies is the process: nothing but the ledger and the exchange is left."""
    guard = guarded(room, **TARGET)

    class Died(BaseException):
        pass

    def dies(request):  # type: ignore[no-untyped-def]  # stands in for create
        if fault == "create_after":
            create(request)
        raise Died

    create = room.venue.create
    room.venue.create = dies  # type: ignore[method-assign]  # the process ends while it sends
    with pytest.raises(Died):
        at(room, guard, "106")
    room.venue.create = create  # type: ignore[method-assign]  # as it was
    assert [lock.strategy for lock in room.ledger.locks("main", room.clock())] == ["trend"]
    second = room.guard()
    for _ in range(8):
        at(room, second, "106", 6)
    assert room.held() < Decimal("0.001")
    ids = [request.client_order_id for request in room.venue.created]
    assert len(ids) == len(set(ids))


SWITCHING = {
    **TARGET,
    "switching": {"enabled": True, "stop_threshold": "0.5", "profit_threshold": "0.8", "cooldown_s": 60},
}
OFFERED = frozenset({"LIMIT", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})


def test_near_the_target_the_take_profit_rests_and_further_down_the_stop_again(room: Room) -> None:
    """On the way from 95.02 to 105.03: 0.8 is 103.03, 0.5 is 100.03. The way back does not wait for the cool-down."""
    room.venue.rules[BTC] = make_rules(order_types=OFFERED)
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103")
    assert [order.type for order in resting(room)] == [OrderType.STOP_LOSS_LIMIT]
    at(room, guard, "103.5")
    (profit,) = resting(room)
    assert (profit.type, profit.stop_price, profit.amount) == (OrderType.TAKE_PROFIT_LIMIT, Decimal("105.03"), HELD)
    assert state_of(room).protection == "profit"
    at(room, guard, "101")
    assert [order.type for order in resting(room)] == [OrderType.TAKE_PROFIT_LIMIT]
    at(room, guard, "100")
    assert [order.type for order in resting(room)] == [OrderType.STOP_LOSS_LIMIT]
    assert state_of(room).protection == "stop"


def test_after_a_switch_the_take_profit_waits_for_the_cool_down(room: Room) -> None:
    room.venue.rules[BTC] = make_rules(order_types=OFFERED)
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    at(room, guard, "100")
    at(room, guard, "103.5")
    assert [order.type for order in resting(room)] == [OrderType.STOP_LOSS_LIMIT]
    at(room, guard, "103.5", 60)
    assert [order.type for order in resting(room)] == [OrderType.TAKE_PROFIT_LIMIT]


def test_a_refused_take_profit_is_rolled_back_in_the_same_cycle(room: Room) -> None:
    room.venue.rules[BTC] = make_rules(order_types=OFFERED)
    guard = guarded(room, **SWITCHING)
    room.venue.faults["create"].append(FilterViolation("too many algo orders"))
    at(room, guard, "103.5")
    (stop,) = resting(room)
    assert (stop.type, stop.amount) == (OrderType.STOP_LOSS_LIMIT, HELD)
    assert state_of(room).protection == "stop"
    at(room, guard, "103.5", 5)
    assert [order.client_order_id for order in resting(room)] == [stop.client_order_id]


def test_a_switch_that_a_crash_interrupted_ends_at_the_stop(room: Room) -> None:
    """Between cancel and placing: the next guard finds nothing at rest and arms the stop."""
    room.venue.rules[BTC] = make_rules(order_types=OFFERED)
    guard = guarded(room, **SWITCHING)

    class Died(BaseException):
        pass

    def dies(request):  # type: ignore[no-untyped-def]  # stands in for create
        raise Died

    create, room.venue.create = room.venue.create, dies  # type: ignore[method-assign]  # the process ends here
    with pytest.raises(Died):
        at(room, guard, "103.5")
    room.venue.create = create  # type: ignore[method-assign]  # as it was
    assert resting(room) == []
    assert state_of(room).protection == "switching"
    second = room.guard()
    for _ in range(8):
        at(room, second, "103.5", 6)
    assert [order.type for order in resting(room)] == [OrderType.STOP_LOSS_LIMIT]


def test_while_the_take_profit_rests_the_guard_itself_watches_the_stop(room: Room) -> None:
    room.venue.rules[BTC] = make_rules(order_types=OFFERED)
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    at(room, guard, "94")
    assert room.venue.created[-1].type == OrderType.MARKET
    assert room.held() < Decimal("0.001")


def test_a_take_profit_that_the_price_has_passed_is_left_to_the_exchange(room: Room) -> None:
    room.venue.rules[BTC] = make_rules(order_types=OFFERED)
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    count = len(room.venue.created)
    at(room, guard, "105.2")
    assert len(room.venue.created) == count


def test_a_filled_take_profit_locks_and_is_named_as_one(room: Room) -> None:
    room.venue.rules[BTC] = make_rules(order_types=OFFERED)
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    (profit,) = resting(room)
    room.venue.prices[BTC] = "105.2"
    room.venue.fill(profit.client_order_id)
    at(room, guard, "105.2", 6)
    assert room.ledger.closed_trades("main")[0].exit_reason == "take profit"
    assert [lock.strategy for lock in room.ledger.locks("main", room.clock())] == ["trend"]


def test_where_no_take_profit_is_offered_the_stop_stays(room: Room) -> None:
    guard = guarded(room, **SWITCHING)
    at(room, guard, "103.5")
    assert [order.type for order in resting(room)] == [OrderType.STOP_LOSS_LIMIT]


def test_what_an_intent_was_not_meant_for_is_sold_by_another_one(room: Room) -> None:
    """A late fill of an entry makes the position larger while it is being left."""
    guard = guarded(room, **TARGET, lock_cooldown_s=0)
    room.venue.share_filled = Decimal("0.5")
    at(room, guard, "106")
    (limit,) = resting(room)
    room.venue.fill(limit.client_order_id, Decimal("0.9"))
    room.ledger.adopt("main", BTC, Decimal(1), Decimal(106), room.clock(), "came late")
    room.venue.totals["BTC"] += Decimal(1)
    for seconds in (3, 1, 1, 1):
        at(room, guard, "106", seconds)
    sold: dict[str, Decimal] = {}
    for order in room.ledger.orders("main"):
        if order.role == Role.EXIT:
            sold[order.intent_id] = sold.get(order.intent_id, Decimal(0)) + order.filled
    assert len(sold) == 2
    for named, amount in sold.items():
        intent = room.ledger.intent(named)
        assert intent is not None
        assert amount <= intent.amount


def test_targets_and_trailing_may_be_set_in_average_true_ranges(room: Room) -> None:
    """Sized with 3 of them: a distance of 5 is an average true range of 1.67."""
    guard = guarded(room, atr_target_multiple=6, trailing={"enabled": True, "distance_ratio": "0.5", "atr_multiple": 2})
    assert state_of(room).detail["target"] == "110.02"
    at(room, guard, "108", 6)
    (stop,) = resting(room)
    assert stop.stop_price == Decimal("104.66")
