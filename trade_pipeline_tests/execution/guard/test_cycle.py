"""The guard keeps a stop under every position, whatever happens to stops, orders, database and exchange."""

from __future__ import annotations

import json
from decimal import Decimal

from trade_pipeline.errors import WouldTriggerImmediately
from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.ledger.records import Flow
from trade_pipeline.schemas.trading import FlowKind, OrderState, OrderType
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, make_rules
from trade_pipeline_tests.execution.guard.stop_room import later, only_stop


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


def test_residue_gets_no_stop(room: Room) -> None:
    room.want("1")
    room.venue.rules[BTC] = make_rules(notional_min=Decimal(5000))
    room.guard().cycle()
    assert room.venue.open_orders() == []


def test_positions_are_written_down_for_a_flatten_without_a_database(room: Room, guard: Guard) -> None:
    stored = json.loads(room.desk.home.positions.read_text())
    (row,) = stored["positions"]
    assert (row["symbol"], Decimal(row["amount"])) == (BTC, room.held())


def test_equity_is_recorded_every_minute(room: Room, guard: Guard) -> None:
    for _ in range(13):
        later(room, guard, 10)
    points = room.ledger.equity("main")
    assert len(points) == 3
    first = points[0]
    assert first.equity_quote == first.cash_quote + first.positions_quote


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
