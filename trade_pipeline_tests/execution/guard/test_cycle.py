"""The guard keeps a stop under every position, whatever happens to stops, orders, database and exchange."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from trade_pipeline.errors import FilterViolation, VenueUnavailable, WouldTriggerImmediately
from trade_pipeline.execution.control import flatten_mark
from trade_pipeline.execution.guard.cycle import Guard, run_once
from trade_pipeline.execution.submit import cancel
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Flow
from trade_pipeline.schemas.trading import FlowKind, OrderState, OrderType, Role, Side, VenueOrder
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, lost, make_rules

ETH = "ETH/USDT"


def only_stop(room: Room) -> VenueOrder:
    (stop,) = room.venue.open_orders()
    return stop


def later(room: Room, guard: Guard, seconds: float = 6) -> list[str]:
    """One cycle of the guard that reads the account again."""
    room.clock.advance(seconds)
    return guard.cycle()


@pytest.fixture
def guard(room: Room) -> Guard:
    """Of an account that has bought 1 BTC at 100.02 with a stop distance of 5."""
    room.want("1")
    guard = room.guard()
    guard.cycle()
    return guard


def test_a_position_gets_a_stop_at_its_average_price_less_the_distance_of_its_entry(room: Room, guard: Guard) -> None:
    stop = only_stop(room)
    assert (stop.type, stop.amount, stop.stop_price) == (
        OrderType.STOP_LOSS_LIMIT,
        Decimal("0.999"),
        Decimal("95.02"),
    )
    assert stop.price is not None
    assert stop.price < Decimal("95.02")


def test_plain_stops_are_used_where_the_exchange_offers_them(room: Room) -> None:
    room.venue.rules[BTC] = make_rules(order_types=frozenset({"MARKET", "STOP_LOSS"}))
    room.want("1")
    room.guard().cycle()
    assert (only_stop(room).type, only_stop(room).price) == (OrderType.STOP_LOSS, None)


def test_a_quiet_market_needs_nothing_more(room: Room, guard: Guard) -> None:
    """Invariant 12: reconciling twice with a still market sends nothing."""
    sent = len(room.venue.created)
    for _ in range(5):
        later(room, guard)
    assert len(room.venue.created) == sent


def test_a_stop_that_somebody_cancelled_is_placed_again(room: Room, guard: Guard) -> None:
    first = only_stop(room)
    room.venue.cancel(BTC, first.client_order_id)
    later(room, guard)
    assert only_stop(room).client_order_id != first.client_order_id
    cancelled = room.ledger.order(first.client_order_id)
    assert cancelled is not None
    assert cancelled.state == OrderState.CANCELED


def test_a_stop_grows_with_its_position(room: Room, guard: Guard) -> None:
    room.want("2")
    later(room, guard)
    assert only_stop(room).amount == Decimal("1.998")


def test_a_stop_that_sells_locks_its_strategy(room: Room, guard: Guard) -> None:
    room.venue.fill(only_stop(room).client_order_id)
    later(room, guard)
    assert room.held() < Decimal("0.001")
    (lock,) = room.ledger.locks("main", room.clock())
    assert (lock.strategy, lock.symbol, lock.reason) == ("trend", BTC, "protective exit")
    assert lock.until is not None


def test_a_constant_signal_buys_once_and_sells_once_while_the_lock_lasts(room: Room, guard: Guard) -> None:
    """TRADING rule 13: constant long signal, one stop, 20 bars."""
    room.venue.fill(only_stop(room).client_order_id)
    later(room, guard)
    for _ in range(20):
        room.want("1")
        later(room, guard)
    sides = [trade.side for trade in room.venue.all_trades]
    assert sides == [Side.BUY, Side.SELL]


def test_a_stop_whose_fill_is_read_for_another_reason_locks_too(room: Room, guard: Guard) -> None:
    stop = only_stop(room)
    room.venue.fill(stop.client_order_id)
    trades = room.venue.trades(BTC)
    room.clock.advance(6)
    listed = room.venue.open_orders
    room.venue.open_orders = lambda symbol=None: [stop]  # type: ignore[method-assign]  # a list from before the fill
    guard.cycle()
    room.venue.open_orders = listed  # type: ignore[method-assign]  # as it was
    assert len(room.ledger.fills("main")) == len(trades)
    assert [lock.strategy for lock in room.ledger.locks("main", room.clock())] == ["trend"]


def test_a_stop_that_would_trigger_at_once_is_an_exit_now(room: Room) -> None:
    room.want("1")
    room.venue.faults["create"].append(WouldTriggerImmediately("stop price would trigger immediately"))
    room.guard().cycle()
    assert room.venue.created[-1].type == OrderType.MARKET
    assert room.held() < Decimal("0.001")


def test_a_breached_stop_that_does_not_rest_is_an_exit_now(room: Room) -> None:
    room.want("1")
    room.venue.prices[BTC] = "90"
    room.guard().cycle()
    assert (room.venue.created[-1].type, room.venue.created[-1].price) == (OrderType.MARKET, None)
    assert room.held() < Decimal("0.001")


def test_a_gapped_stop_limit_becomes_a_market_order(room: Room, guard: Guard) -> None:
    stop = only_stop(room)
    room.venue.prices[BTC] = "80"
    later(room, guard)
    assert room.venue.cancelled == [stop.client_order_id]
    assert room.venue.created[-1].type == OrderType.MARKET
    assert room.ledger.locks("main", room.clock())


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
    assert 4 <= len(refusals) <= 6
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


def test_residue_gets_no_stop(room: Room) -> None:
    room.want("1")
    room.venue.rules[BTC] = make_rules(notional_min=Decimal(5000))
    room.guard().cycle()
    assert room.venue.open_orders() == []


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


def test_positions_are_written_down_for_a_flatten_without_a_database(room: Room, guard: Guard) -> None:
    stored = json.loads(room.desk.home.positions.read_text())
    (row,) = stored["positions"]
    assert (row["symbol"], Decimal(row["amount"])) == (BTC, room.held())


def test_an_outage_of_the_exchange_is_survived(room: Room) -> None:
    room.want("1")
    guard = room.guard()
    room.venue.faults["account"].append(VenueUnavailable("maintenance"))
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


def test_equity_is_recorded_every_minute(room: Room, guard: Guard) -> None:
    for _ in range(13):
        later(room, guard, 10)
    points = room.ledger.equity("main")
    assert len(points) == 3
    first = points[0]
    assert first.equity_quote == first.cash_quote + first.positions_quote


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


def test_a_position_that_no_entry_explains_is_stopped_two_percent_below_and_said_so_once(room: Room) -> None:
    room.venue.totals["BTC"] = Decimal(1)
    room.ledger.book_flow(Flow("main", "BTC", FlowKind.DEPOSIT, Decimal(1), room.clock(), "from a wallet"))
    room.ledger.adopt("main", BTC, Decimal(1), Decimal(100), room.clock(), "adopted")
    guard = room.guard()
    guard.cycle()
    later(room, guard)
    assert (only_stop(room).amount, only_stop(room).stop_price) == (Decimal(1), Decimal(98))
    kinds = [event.kind for event in room.ledger.events("main")]
    assert kinds.count("stop_distance_assumed") == 1


def test_a_stop_whose_fill_is_found_by_cancelling_it_locks_too(room: Room, guard: Guard) -> None:
    stop = only_stop(room)
    room.venue.fill(stop.client_order_id)
    (order,) = [order for order in room.ledger.live_orders("main") if order.role == Role.PROTECT]
    assert cancel(room.desk, order, "to sell").state == OrderState.FILLED
    assert [lock.strategy for lock in room.ledger.locks("main", room.clock())] == ["trend"]
