"""A stop stays under every position whatever fails: answers, one symbol, the exchange, the database, a person."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from trade_pipeline.errors import FilterViolation, VenueUnavailable
from trade_pipeline.execution.control import flatten_mark
from trade_pipeline.execution.guard.cycle import Guard, run_once
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import OrderState, OrderType, Role
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, lost
from trade_pipeline_tests.execution.guard.stop_room import later, only_stop

ETH = "ETH/USDT"


def test_one_symbol_that_is_refused_does_not_keep_the_others_without_a_stop(room: Room) -> None:
    """RELIABILITY statement 25, and what is refused is not repeated every second."""
    room.venue.symbols = (BTC, ETH)
    room.want("1")
    room.want("1", symbol=ETH)
    create, refusals = room.venue.create, []

    def picky(request):  # type: ignore[no-untyped-def]  # stands in for create
        if request.symbol == BTC:
            refusals.append(request)
            raise FilterViolation("too many algo orders")
        return create(request)

    room.venue.create = picky  # type: ignore[method-assign]  # an exchange that refuses one symbol
    guard = room.guard()
    for _ in range(30):
        guard.cycle()
        room.clock.advance(1)
    assert only_stop(room).symbol == ETH
    assert 4 <= len(refusals) <= 8
    kinds = [event.kind for event in room.ledger.events("main")]
    assert kinds.count("protection_refused") == 1
    assert "position_unprotected" in kinds


def test_coins_that_were_sold_by_hand_are_not_stopped_again(room: Room, guard: Guard) -> None:
    """RELIABILITY statement 27."""
    room.venue.cancel(BTC, only_stop(room).client_order_id)
    room.venue.totals["BTC"] = Decimal(0)
    sent = len(room.venue.created)
    for _ in range(5):
        later(room, guard)
    assert len(room.venue.created) == sent
    assert room.desk.halts()[BTC].startswith("coins are missing")
    room.venue.totals["BTC"] = Decimal("0.999")
    later(room, guard)
    assert BTC not in room.desk.halts()


def test_a_cancel_that_was_lost_is_sent_again(room: Room, guard: Guard) -> None:
    """RELIABILITY statement 13: it stays PENDING_CANCEL, and not forever."""
    stop = only_stop(room)
    room.venue.faults["cancel"].append(lost())
    room.want(None)
    pending = room.ledger.order(stop.client_order_id)
    assert pending is not None
    assert pending.state == OrderState.PENDING_CANCEL
    later(room, guard)
    later(room, guard)
    room.want(None)
    assert room.held() < Decimal("0.001")


def test_an_order_with_our_prefix_that_nobody_explains_is_adopted_or_halts_its_entries(
    room: Room, guard: Guard
) -> None:
    """One that would be a second stop of its symbol cannot be adopted."""
    stop, other = only_stop(room), "7c01" + "f" * 28
    room.venue.book[other] = replace(stop, client_order_id=other, order_id="77", symbol=ETH)
    later(room, guard)
    assert room.ledger.order(other) is not None
    second = "7c01" + "e" * 28
    room.venue.book[second] = replace(stop, client_order_id=second, order_id="78")
    later(room, guard)
    assert "no intent" in room.desk.halts()[BTC]


def test_while_a_flatten_sells_the_guard_sends_nothing(room: Room) -> None:
    room.want("1")
    with flatten_mark(room.desk.home, room.clock()):
        room.guard().cycle()
    assert room.venue.open_orders() == []


def test_an_outage_of_the_exchange_is_survived(room: Room) -> None:
    room.want("1")
    guard = room.guard()
    room.venue.faults["account"].extend([VenueUnavailable("maintenance")] * 2)
    (line,) = run_once(guard)
    assert "maintenance" in line
    run_once(guard)
    assert only_stop(room).symbol == BTC


def test_a_lost_answer_to_a_stop_is_found_and_not_repeated(room: Room) -> None:
    room.want("1")
    room.venue.faults["create_after"].append(lost())
    guard = room.guard()
    guard.cycle()
    later(room, guard)
    assert [request.type for request in room.venue.created].count(OrderType.STOP_LOSS_LIMIT) == 1
    (stop,) = [order for order in room.ledger.live_orders("main") if order.role == Role.PROTECT]
    assert stop.state == OrderState.OPEN


def test_a_refused_entry_does_not_move_the_stop(room: Room, guard: Guard) -> None:
    before = only_stop(room)
    room.venue.faults["create"].append(FilterViolation("no"))
    room.want("2", stop_distance=Decimal(1))
    later(room, guard)
    assert only_stop(room).client_order_id == before.client_order_id


def test_an_outage_of_the_database_is_survived_and_the_stop_follows(room: Room) -> None:
    room.want("1")
    guard = room.guard()
    dead = Ledger("postgresql+psycopg2://nobody:x@127.0.0.1:1/none")
    guard.desk = replace(room.desk, ledger=dead)
    (line,) = run_once(guard)
    assert line.startswith("LedgerUnavailable")
    assert "x@" not in line
    guard.desk = room.desk
    run_once(guard)
    assert only_stop(room).symbol == BTC


def test_an_order_that_contradicts_the_ledger_does_not_stop_the_guard(room: Room, guard: Guard) -> None:
    """It halts its symbol's entries, and everything else goes on."""
    stop = only_stop(room)
    room.venue.book[stop.client_order_id] = replace(stop, order_id="999", filled=Decimal("0.1"))
    said = run_once(guard)
    later(room, guard)
    assert not any("Error" in line for line in said)
    assert "another one than ours" in room.desk.halts()[BTC]
