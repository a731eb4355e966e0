"""How the guard sells: step by step, once, across lost answers, refusals and restarts."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trade_pipeline.errors import FilterViolation
from trade_pipeline.schemas.trading import OrderState, OrderType, Role, TimeInForce
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, lost
from trade_pipeline_tests.execution.guard.exit_room import HELD, STOPS, TARGET, at, guarded, resting, sent, state_of


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


def test_a_position_that_was_held_long_enough_is_sold(room: Room) -> None:
    guard = guarded(room, holding_hours_max=2)
    at(room, guard, "101", 7100)
    assert all(order.type in STOPS for order in resting(room))
    at(room, guard, "101", 110)
    (limit,) = resting(room)
    assert limit.type == OrderType.LIMIT


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
