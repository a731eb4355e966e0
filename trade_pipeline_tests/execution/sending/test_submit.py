"""Orders are committed before they are sent, sent once, and never repeated on a guess."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trade_pipeline.errors import (
    ClockSkew,
    DuplicateClientOrderId,
    InsufficientFunds,
    LeaseHeld,
    LeaseLost,
    LedgerError,
    MalformedAnswer,
    RateLimited,
    TradePipelineError,
    VenueUnavailable,
)
from trade_pipeline.execution.ids import client_order_id, intent_id, is_ours
from trade_pipeline.execution.sending.cancelling import cancel
from trade_pipeline.execution.sending.submit import acquire_lease, apply, send
from trade_pipeline.ledger.records import Lease, Order
from trade_pipeline.schemas.trading import OrderState, OrderType, Role, Side, TimeInForce
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import lost
from trade_pipeline_tests.fakes import make_intent, make_request

INTENT = intent_id("main", "decision", "BTC/USDT", Role.ENTRY)
NAMED = client_order_id("7c01", "main", INTENT, 0)


@pytest.fixture
def lease(room: Room) -> Lease:
    return acquire_lease(room.desk, "test", for_exit=False, wait_s=0)


def buy(room: Room, lease: Lease, **changes: object) -> Order:
    return send(room.desk, lease, make_intent(INTENT), make_request(NAMED, **changes))


def test_ids_are_the_same_for_the_same_reason_and_differ_for_every_other() -> None:
    assert intent_id("main", "decision", "BTC/USDT", Role.ENTRY) == INTENT
    others = {
        intent_id("other", "decision", "BTC/USDT", Role.ENTRY),
        intent_id("main", "another", "BTC/USDT", Role.ENTRY),
        intent_id("main", "decision", "ETH/USDT", Role.ENTRY),
        intent_id("main", "decision", "BTC/USDT", Role.EXIT),
    }
    assert len(others | {INTENT}) == 5
    assert len({client_order_id("7c01", "main", INTENT, attempt) for attempt in range(3)}) == 3


def test_a_client_order_id_has_the_prefix_and_32_hexadecimal_characters() -> None:
    assert len(NAMED) == 32
    assert int(NAMED, 16)
    assert is_ours(NAMED, "7c01")
    assert not is_ours(NAMED, "7c02")


def test_what_is_sent_was_committed_as_sent_before(room: Room, lease: Lease) -> None:
    seen: list[OrderState] = []
    create = room.venue.create

    def watched(request):  # type: ignore[no-untyped-def]  # stands in for create
        order = room.ledger.order(request.client_order_id)
        assert order is not None
        seen.append(order.state)
        return create(request)

    room.venue.create = watched  # type: ignore[method-assign]  # looks at the ledger while the request is under way
    buy(room, lease)
    assert seen == [OrderState.SENT]


def test_nothing_is_sent_when_the_commit_fails(room: Room, lease: Lease) -> None:
    """RELIABILITY statement 29."""
    buy(room, lease)
    with pytest.raises(LedgerError):
        send(room.desk, lease, make_intent("another"), make_request("7c01" + "1" * 28))
    assert len(room.venue.created) == 1


def test_nothing_is_sent_under_a_lease_that_somebody_else_has_taken(room: Room, lease: Lease) -> None:
    room.ledger.release_lease(lease)
    room.ledger.acquire_lease("main", "newer", 15)
    with pytest.raises(LeaseLost):
        buy(room, lease)
    assert room.venue.created == []
    order = room.ledger.order(NAMED)
    assert order is not None
    assert order.state == OrderState.ABANDONED


def test_nothing_is_sent_when_too_little_of_the_lease_remains(room: Room) -> None:
    with pytest.raises(LeaseLost):
        buy(room, room.ledger.acquire_lease("main", "short", 2))
    assert room.venue.created == []


def test_a_second_instance_is_refused_by_the_lease(room: Room, lease: Lease) -> None:
    """RELIABILITY statement 30."""
    with pytest.raises(LeaseHeld):
        acquire_lease(room.desk, "second", for_exit=False, wait_s=0)


@pytest.mark.parametrize("error", [lost(), MalformedAnswer("no JSON")])
def test_an_answer_that_did_not_come_is_unknown_and_never_sent_again(
    room: Room, lease: Lease, error: TradePipelineError
) -> None:
    room.venue.faults["create_after"].append(error)
    assert buy(room, lease).state == OrderState.UNKNOWN
    assert len(room.venue.created) == 1


def test_fills_behind_those_of_a_later_order_are_booked_once_their_order_is_found(room: Room, lease: Lease) -> None:
    """A later order's answer brings its own trades, so the newest booked one says nothing about earlier ones."""
    at_once = {"type": OrderType.MARKET, "price": None}
    buy(room, lease, **at_once)
    room.clock.advance(1)
    again = client_order_id("7c01", "main", "again", 0)
    room.venue.faults["create_after"].append(lost())
    send(room.desk, lease, make_intent("again"), make_request(again, **at_once))
    room.clock.advance(1)
    leave = client_order_id("7c01", "main", "leave", 0)
    intent = make_intent("leave", role=Role.EXIT, side=Side.SELL, amount=Decimal("0.5"))
    send(room.desk, lease, intent, make_request(leave, side=Side.SELL, amount=Decimal("0.5"), **at_once))
    assert room.held() == Decimal("0.499")

    apply(room.desk, room.venue.order("BTC/USDT", again), "looked up")

    assert room.held() == Decimal("1.498")


def test_an_end_is_not_written_before_its_fills_are_told(room: Room, lease: Lease) -> None:
    """A stop that ended and whose fills are missing would look like coins that are still to be sold."""
    order = buy(room, lease)
    filled = replace(room.venue.fill(NAMED), trades=())
    lagging, room.venue.all_trades = room.venue.all_trades, []

    assert apply(room.desk, filled, "looked up").state == order.state

    room.venue.all_trades = lagging
    assert apply(room.desk, filled, "looked up").state == OrderState.FILLED
    assert room.held() == Decimal("0.999")


def test_a_refusal_is_the_end_of_the_order(room: Room, lease: Lease) -> None:
    room.venue.faults["create"].append(InsufficientFunds("no"))
    assert buy(room, lease).state == OrderState.REJECTED


@pytest.mark.parametrize("error", [ClockSkew("ahead"), RateLimited("slowly", retry_after_s=0.01)])
def test_what_was_certainly_not_executed_is_sent_again_with_the_same_id(
    room: Room, lease: Lease, error: TradePipelineError
) -> None:
    """RELIABILITY statements 19 and 20."""
    room.venue.faults["create"].append(error)
    assert buy(room, lease).state == OrderState.OPEN
    assert [request.client_order_id for request in room.venue.created] == [NAMED, NAMED]


def test_sending_again_has_a_bound(room: Room, lease: Lease) -> None:
    room.venue.faults["create"].extend([ClockSkew("ahead")] * 10)
    assert buy(room, lease).state == OrderState.REJECTED
    assert len(room.venue.created) == room.desk.settings.recovery.table["ClockSkew"].attempts_max


def test_an_id_that_the_exchange_has_already_is_looked_up_and_adopted(room: Room, lease: Lease) -> None:
    """RELIABILITY statement 6."""
    room.venue.faults["create_after"].append(DuplicateClientOrderId("duplicate order sent"))
    order = buy(room, lease)
    assert order.state == OrderState.OPEN
    assert order.venue_order_id == room.venue.book[NAMED].order_id


def test_a_duplicate_that_cannot_be_found_is_unknown(room: Room, lease: Lease) -> None:
    room.venue.faults["create"].append(DuplicateClientOrderId("duplicate order sent"))
    assert buy(room, lease).state == OrderState.UNKNOWN


def test_fills_that_the_answer_does_not_name_are_read(room: Room, lease: Lease) -> None:
    room.venue.answers_name_trades = False
    order = buy(room, lease, time_in_force=TimeInForce.IOC)
    assert (order.state, order.filled) == (OrderState.FILLED, Decimal(1))
    assert room.held() == Decimal("0.999")


def test_an_ioc_order_that_filled_in_part_is_finished_with_what_it_filled(room: Room, lease: Lease) -> None:
    room.venue.share_filled = Decimal("0.25")
    order = buy(room, lease, time_in_force=TimeInForce.IOC)
    assert (order.state, order.filled) == (OrderState.EXPIRED, Decimal("0.25"))


def test_a_cancel_is_confirmed(room: Room, lease: Lease) -> None:
    order = buy(room, lease)
    assert cancel(room.desk, order, "test").state == OrderState.CANCELED


def test_a_cancel_without_an_answer_stays_pending_while_the_order_lives(room: Room, lease: Lease) -> None:
    """RELIABILITY statement 13."""
    order = buy(room, lease)
    room.venue.faults["cancel"].append(lost())
    assert cancel(room.desk, order, "test").state == OrderState.PENDING_CANCEL
    assert cancel(room.desk, order, "again").state == OrderState.CANCELED


def test_a_cancel_whose_answer_was_lost_is_looked_up(room: Room, lease: Lease) -> None:
    order = buy(room, lease)
    room.venue.faults["cancel_after"].append(lost())
    assert cancel(room.desk, order, "test").state == OrderState.CANCELED


def test_a_cancel_that_came_too_late_finds_the_fill(room: Room, lease: Lease) -> None:
    order = buy(room, lease)
    room.venue.fill(NAMED)
    assert cancel(room.desk, order, "test").state == OrderState.FILLED
    assert room.held() == Decimal("0.999")


def test_maintenance_sends_nothing_and_leaves_nothing_live(room: Room, lease: Lease) -> None:
    """RELIABILITY statement 21."""
    room.venue.faults["create"].extend([VenueUnavailable("maintenance")] * 10)
    buy(room, lease)
    assert room.ledger.live_orders("main") == []
    assert room.venue.book == {}
