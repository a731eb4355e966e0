"""Statements 1 to 10: lost answers, forgotten orders, duplicate ids, fills in every order and number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice, permutations

import pytest

from trade_pipeline.errors import DuplicateClientOrderId, InsufficientFunds, OrderNotFound, VenueUnavailable
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.execute import execute_decision
from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.execution.readback.reconcile import reconcile, residuals_of
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import OrderState, Role, Side, VenueOrder
from trade_pipeline_tests.exchange_process import RunningExchange
from trade_pipeline_tests.execution import test_on_the_exchange as on_the_exchange
from trade_pipeline_tests.execution.conftest import Room, open_gate
from trade_pipeline_tests.execution.fake_venue import BTC, lost
from trade_pipeline_tests.fakes import make_request
from trade_pipeline_tests.ledger.flow import PREFIX
from trade_pipeline_tests.ledger.test_arrival import HISTORY, book
from trade_pipeline_tests.reliability.conftest import (
    BOUGHT,
    facts,
    halted,
    last_order,
    later,
    only_stop,
    states,
)

exchange, desk = on_the_exchange.exchange, on_the_exchange.desk
FORGOTTEN = PREFIX + "e" * 28


def test_statement_01_answer_lost_after_acceptance_leaves_exactly_one_order(
    exchange: RunningExchange, desk: Desk
) -> None:
    """Over real HTTP through ccxt: the exchange executes, the answer never comes, nothing is sent again."""
    named = on_the_exchange.decide(desk, "a" * 32)
    exchange.fault("timeout", path="/api/v3/order", method="POST", count=1, delay_s=4)
    report = execute_decision(desk, named, run_id="first", gate=open_gate)
    exchange.heal()
    for _ in range(10):
        if desk.ledger.live_orders("main") == []:
            break
        reconcile(desk)
    execute_decision(desk, on_the_exchange.decide(desk, "b" * 32), run_id="second", gate=open_gate)
    (order,) = desk.ledger.orders("main")
    assert order.state == OrderState.FILLED, report
    assert len(desk.venue.orders(BTC, datetime.now(UTC) - timedelta(minutes=5))) == 1
    assert residuals_of(desk, desk.venue.account()) == {}


def test_statement_02_not_found_just_after_create_then_found_is_not_resent(room: Room) -> None:
    """The look-up finds nothing for three minutes although the order was executed."""
    room.venue.faults["create_after"].append(lost())
    found = room.venue.order
    room.venue.order = not_found_yet  # type: ignore[method-assign]  # a slow index
    room.want("1")
    guard = room.guard()
    trades, orders = room.venue.trades, room.venue.orders
    room.venue.trades = lambda *_, **__: []  # type: ignore[method-assign]  # as slow as the look-up
    room.venue.orders = lambda *_, **__: []  # type: ignore[method-assign]
    for _ in range(3):
        later(room, guard, cycles=10)
        room.want("1")
        assert [request.side for request in room.venue.created] == [Side.BUY]
        assert last_order(room).state == OrderState.UNKNOWN
    room.venue.order, room.venue.trades = found, trades  # type: ignore[method-assign]  # the index has caught up
    room.venue.orders = orders  # type: ignore[method-assign]
    later(room, guard, cycles=2)
    assert [request.side for request in room.venue.created] == [Side.BUY, Side.SELL], "one entry, then its stop"
    assert (last_order(room, Role.ENTRY).state, room.held()) == (OrderState.FILLED, BOUGHT)


def test_statement_02_a_stop_that_no_list_shows_yet_is_not_replaced_while_its_coins_are_locked(room: Room) -> None:
    """Look-ups and lists are behind for a minute and a half; only the balance tells that something rests."""
    room.want("1")
    room.venue.faults["create_after"].append(lost())
    guard = room.guard()
    guard.cycle()
    found, listed, every = room.venue.order, room.venue.open_orders, room.venue.orders
    room.venue.order = not_found_yet  # type: ignore[method-assign]  # a slow index
    room.venue.open_orders = lambda symbol=None: []  # type: ignore[method-assign]  # a slow index
    room.venue.orders = lambda symbol, since: []  # type: ignore[method-assign]  # a slow index
    for _ in range(15):
        later(room, guard)
        assert [request.side for request in room.venue.created] == [Side.BUY, Side.SELL]
        assert last_order(room, Role.PROTECT).state == OrderState.UNKNOWN
    room.venue.order, room.venue.open_orders, room.venue.orders = found, listed, every  # type: ignore[method-assign]
    later(room, guard, cycles=2)
    assert last_order(room, Role.PROTECT).state == OrderState.OPEN
    assert [request.side for request in room.venue.created] == [Side.BUY, Side.SELL]


def not_found_yet(symbol: str, client_order_id: str) -> VenueOrder:
    raise OrderNotFound("no such order", thing=client_order_id)


def test_statement_03_network_errors_never_count_as_not_found(room: Room) -> None:
    room.venue.faults["create_after"].append(lost())
    room.want("1")
    room.clock.advance(3600)
    for error in (lost(), VenueUnavailable("maintenance")) * 4:
        room.venue.faults["order"].append(error)
        room.venue.faults["open_orders"].append(error)
    guard = room.guard()
    later(room, guard, cycles=4)
    assert states(room) == [OrderState.UNKNOWN]
    assert len(room.venue.created) == 1
    assert [event.kind for event in room.ledger.events("main")].count("look_up_empty") == 0


@pytest.mark.parametrize(
    ("filled", "state"),
    [("0", OrderState.OPEN), ("0.4", OrderState.PARTIALLY_FILLED), ("1", OrderState.FILLED)],
)
def test_statement_04_a_forgotten_order_is_adopted_within_a_cycle(room: Room, filled: str, state: OrderState) -> None:
    """An order with our prefix that the ledger has never heard of, found resting, half done or done hours later."""
    room.venue.create(make_request(FORGOTTEN))
    room.clock.advance(5 * 3600)
    if Decimal(filled):
        room.venue.fill(FORGOTTEN, Decimal(filled))
    guard = room.guard()
    later(room, guard)
    adopted = room.ledger.order(FORGOTTEN)
    assert adopted is not None
    assert (adopted.role, adopted.state, adopted.filled) == (Role.ENTRY, state, Decimal(filled))
    assert room.held() == Decimal(filled) * Decimal("0.999")
    assert [row.outcome for row in room.ledger.conflicts("main")] == ["resolved", "found"]
    later(room, guard, cycles=2)
    assert not halted(room)
    assert residuals_of(room.desk, room.venue.account()) == {}
    protected = [order for order in room.venue.open_orders() if order.side == Side.SELL]
    assert len(protected) == bool(Decimal(filled)), "what it has bought has its stop"
    assert [request.client_order_id for request in room.venue.created].count(FORGOTTEN) == 1


def test_statement_04_a_forgotten_sale_of_coins_that_nobody_booked_halts_entries(room: Room) -> None:
    room.venue.totals["BTC"] = Decimal(1)
    room.venue.create(make_request(FORGOTTEN, side=Side.SELL))
    room.clock.advance(5 * 3600)
    later(room, room.guard(), cycles=3)
    adopted = room.ledger.order(FORGOTTEN)
    assert adopted is not None
    assert (adopted.role, adopted.state, room.held()) == (Role.EXIT, OrderState.OPEN, Decimal(0))
    assert set(room.desk.halts()) == {"*"}
    assert "entries halted" in room.want("1").verdicts[BTC].reason
    assert len(room.venue.created) == 1


def test_statement_05_retries_exhausted_opens_the_breaker_and_assumes_nothing_cancelled(
    room: Room, bought: Guard
) -> None:
    stop = only_stop(room)
    for method in ("account", "open_orders", "order", "cancel", "create"):
        room.venue.faults[method].extend([VenueUnavailable("no answer")] * 200)
    later(room, bought, cycles=30)
    kept = room.ledger.order(stop.client_order_id)
    assert kept is not None
    assert kept.state in {OrderState.OPEN, OrderState.PENDING_CANCEL}
    opened = [row for row in room.ledger.breakers("main") if row.state == "OPEN"]
    assert [row.scope for row in opened] == ["*"]
    room.venue.faults.clear()
    sent = len(room.venue.created)
    room.want("2")
    assert len(room.venue.created) == sent, "no entry while the breaker is open"


def test_statement_06_a_duplicate_id_is_looked_up_and_adopted(room: Room) -> None:
    room.venue.faults["create_after"].append(DuplicateClientOrderId("duplicate order sent"))
    room.want("1")
    assert len(room.venue.created) == 1
    assert (last_order(room).state, room.held()) == (OrderState.FILLED, BOUGHT)
    assert last_order(room).venue_order_id == room.venue.book[room.venue.created[0].client_order_id].order_id


def test_statement_07_a_fill_without_an_event_is_booked_once_by_polling(room: Room, bought: Guard) -> None:
    """The stop is filled in two parts while nobody looks; every later poll sees the same two trades."""
    stop = only_stop(room)
    room.venue.fill(stop.client_order_id, Decimal("0.4"))
    room.venue.fill(stop.client_order_id)
    later(room, bought, cycles=5)
    assert sorted(fill.amount for fill in room.ledger.fills("main")) == [Decimal("0.4"), Decimal("0.599"), 1]
    assert (last_order(room, Role.PROTECT).state, room.held()) == (OrderState.FILLED, Decimal(0))
    assert residuals_of(room.desk, room.venue.account()) == {}


def test_statement_08_an_inferred_fill_and_then_the_real_one_are_booked_once(room: Room) -> None:
    """The answer says filled and names no trades; the trades come seconds later, and then again and again."""
    room.venue.answers_name_trades = False
    trades = room.venue.trades
    room.venue.trades = lambda *_, **__: []  # type: ignore[method-assign]  # its list of trades is behind
    room.want("1")
    assert room.held() == 0, "only trades are booked"
    room.venue.trades = trades  # type: ignore[method-assign]  # caught up
    guard = room.guard()
    later(room, guard, cycles=4)
    assert [fill.amount for fill in room.ledger.fills("main")] == [1]
    assert room.held() == BOUGHT


def test_statement_09_fills_in_any_order_of_arrival_give_one_position(ledger: Ledger) -> None:
    """Three buys and two sales, read one by one in every fifth of their 120 orders, on accounts of their own."""
    reference = book(ledger, [list(HISTORY)])
    arrivals = list(islice(permutations(HISTORY), 0, None, 5))
    assert len(arrivals) == 24
    for arrival in arrivals:
        assert book(ledger, [[trade] for trade in arrival]) == reference


def test_statement_10_what_trades_prove_is_repaired_once_and_reaches_a_fixpoint(room: Room, bought: Guard) -> None:
    """Half of the stop is filled while nobody looks: one cycle books it, and the next ones change nothing."""
    room.venue.fill(only_stop(room).client_order_id, Decimal("0.5"))
    later(room, bought)
    assert room.held() == BOUGHT - Decimal("0.5")
    assert residuals_of(room.desk, room.venue.account()) == {}
    settled = facts(room)
    later(room, bought, cycles=5)
    assert facts(room) == settled
    assert not halted(room)


def test_statement_10_what_nothing_proves_halts_entries_and_reaches_a_fixpoint(room: Room, bought: Guard) -> None:
    """Half of the coins and some money move by hand: nothing is invented, what is there gets its stop, entries halt."""
    room.venue.cancel(BTC, only_stop(room).client_order_id)
    room.venue.totals["BTC"] = Decimal("0.5")
    room.venue.totals["USDT"] += 7
    room.venue.faults["create"].append(InsufficientFunds("not enough BTC", thing=BTC))
    later(room, bought, cycles=3)
    assert set(room.desk.halts()) == {"*", BTC}
    assert residuals_of(room.desk, room.venue.account()) == {"BTC": Decimal("-0.499"), "USDT": Decimal(7)}
    assert (room.held(), only_stop(room).amount) == (BOUGHT, Decimal("0.5"))
    settled = facts(room)
    later(room, bought, cycles=5)
    assert facts(room) == settled
