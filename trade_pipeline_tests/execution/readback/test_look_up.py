"""What proves that a lost order is absent, and what reading the account costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from trade_pipeline.errors import OrderNotFound, VenueUnavailable
from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.execution.ids import client_order_id
from trade_pipeline.execution.readback.reconcile import reconcile
from trade_pipeline.schemas.trading import OrderState, OrderType, VenueOrder
from trade_pipeline.settings.positions import PositionSettings
from trade_pipeline.venues.capabilities import capabilities_of
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, RESTING, lost
from trade_pipeline_tests.fakes import make_intent, make_request

NAMED = client_order_id("7c01", "main", "intent-1", 0)
WEIGHTS = {"account": 20, "open_orders": 80, "trades": 20, "orders": 20, "order": 4}
"""Of Binance's own weights; a fifth of them are ccxt's units, of which TRADING gives 1,200 a minute."""


def sent(room: Room) -> None:
    room.ledger.plan_order(make_intent(created_at=room.clock()), make_request(NAMED))
    lease = room.ledger.acquire_lease("main", "dead", 30)
    room.ledger.mark_sent(NAMED, lease, 0)
    room.ledger.release_lease(lease)


def state(room: Room) -> OrderState:
    order = room.ledger.order(NAMED)
    assert order is not None
    return order.state


def hidden(symbol: str, client_order_id: str) -> VenueOrder:
    raise OrderNotFound("not indexed yet", thing=client_order_id)


def count(room: Room) -> Counter[str]:
    """Counts the reads of the account from now on."""
    counted: Counter[str] = Counter()

    def wrapped(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            counted[name] += 1
            return method(*args, **kwargs)

        return call

    for name in WEIGHTS:
        setattr(room.venue, name, wrapped(name, getattr(room.venue, name)))
    return counted


def weight(counted: Counter[str]) -> int:
    return sum(WEIGHTS[name] * times for name, times in counted.items())


def test_empty_look_ups_count_only_in_a_row(room: Room) -> None:
    """RELIABILITY statement 3: a network error in between begins the row anew."""
    sent(room)
    room.clock.advance(3600)
    for _ in range(3):
        reconcile(room.desk)
        reconcile(room.desk)
        room.venue.faults["order"].append(VenueUnavailable("maintenance"))
        reconcile(room.desk)
        assert state(room) == OrderState.UNKNOWN
    for _ in range(2):
        reconcile(room.desk)
        assert state(room) == OrderState.UNKNOWN
    reconcile(room.desk)
    assert state(room) == OrderState.ABSENT


@pytest.mark.parametrize("exchange", ["okx", "coinbase", "kucoin", "binance"])
def test_without_an_acceptance_bound_an_order_stays_unknown_for_ten_minutes(room: Room, exchange: str) -> None:
    """What the exchange is known to do decides; the settings may doubt it, not believe what it does not do."""
    room.venue.capabilities = capabilities_of(exchange)
    positions = PositionSettings(acceptance_bounded=exchange != "binance")
    room.desk = replace(room.desk, settings=room.desk.settings.model_copy(update={"positions": positions}))
    sent(room)
    for _ in range(9):
        room.clock.advance(60)
        reconcile(room.desk)
        assert state(room) == OrderState.UNKNOWN
    room.clock.advance(66)
    reconcile(room.desk)
    assert state(room) == OrderState.ABSENT


@pytest.mark.parametrize("exchange", ["binance", "bybit", "mexc"])
def test_where_old_requests_are_refused_a_lost_order_is_absent_after_bound_and_lag(room: Room, exchange: str) -> None:
    room.venue.capabilities = capabilities_of(exchange)
    sent(room)
    room.clock.advance(14)
    for _ in range(4):
        reconcile(room.desk)
        assert state(room) == OrderState.UNKNOWN
    room.clock.advance(2)
    reconcile(room.desk)
    assert state(room) == OrderState.ABSENT


def test_what_became_of_an_unknown_order_is_counted_and_one_that_lasts_counts_against_it(room: Room) -> None:
    sent(room)
    room.venue.create(make_request(NAMED))
    room.venue.fill(NAMED)
    room.venue.faults["order"].extend([lost()] * 3)
    for _ in range(3):
        room.clock.advance(20)
        reconcile(room.desk)
    reconcile(room.desk)
    rows = room.ledger.recoveries(room.clock().date())
    assert [(row.component, row.error, row.recovered, row.count) for row in rows] == [
        ("look_up", "OutcomeUnknown", False, 1),
        ("look_up", "OutcomeUnknown", True, 1),
    ]


def test_an_order_that_only_the_list_of_closed_orders_knows_is_found(room: Room) -> None:
    sent(room)
    room.venue.create(make_request(NAMED))
    room.venue.fill(NAMED)
    room.venue.order = hidden  # type: ignore[method-assign]  # its index is behind
    room.clock.advance(3600)
    for _ in range(3):
        reconcile(room.desk)
    assert state(room) == OrderState.FILLED
    assert room.held() == Decimal("0.999")


def test_an_order_that_only_the_trades_know_is_not_absent(room: Room) -> None:
    sent(room)
    room.venue.create(make_request(NAMED, type=OrderType.MARKET, price=None))
    room.venue.order = hidden  # type: ignore[method-assign]
    room.venue.orders = lambda *_, **__: []  # type: ignore[method-assign]
    room.clock.advance(3600)
    for _ in range(6):
        reconcile(room.desk)
    assert state(room) == OrderState.UNKNOWN


def test_an_unknown_order_that_lasts_alerts_once_within_its_bound(room: Room) -> None:
    sent(room)
    room.venue.faults["order"].extend([lost()] * 40)
    for _ in range(12):
        reconcile(room.desk, at_start=True)
        room.clock.advance(5)
    alerts = [event for event in room.ledger.events("main") if event.kind == "order_unknown"]
    (alert,) = alerts
    assert alert.client_order_id == NAMED
    assert alert.severity == "error"
    order = room.ledger.order(NAMED)
    assert order is not None and order.sent_at is not None
    assert (alert.at - order.sent_at).total_seconds() <= 35


def test_what_is_known_of_an_order_is_asked_for_that_order_alone(room: Room) -> None:
    """Not a thousand events of everybody's."""
    sent(room)
    asked: list[dict[str, object]] = []
    events = room.ledger.events

    def noted(*args: Any, **kwargs: Any) -> Any:
        asked.append(kwargs)
        return events(*args, **kwargs)

    room.ledger.events = noted  # type: ignore[method-assign]
    reconcile(room.desk, at_start=True)
    assert asked == [{"client_order_id": NAMED}]


def cycles(room: Room, guard: Guard, times: int) -> None:
    for _ in range(times):
        room.clock.advance(5)
        guard.cycle()


def test_a_quiet_cycle_reads_the_account_and_the_open_orders_once(room: Room) -> None:
    room.want("1")
    guard = room.guard()
    cycles(room, guard, 3)
    counted = count(room)
    cycles(room, guard, 10)
    assert counted == {"account": 10, "open_orders": 10}


def test_a_difference_that_lasts_is_looked_into_once_and_not_every_cycle(room: Room) -> None:
    """Five symbols are known: reading all of them every five seconds would be the whole budget of the address."""
    room.want("1")
    guard = room.guard()
    cycles(room, guard, 3)
    room.venue.totals["USDT"] += 50
    room.venue.totals["XYZ"] = Decimal(7)
    cycles(room, guard, 3)
    counted = count(room)
    cycles(room, guard, 10)
    assert counted == {"account": 10, "open_orders": 10}


@pytest.mark.parametrize("symbols", [1, 20])
def test_a_minute_of_cycles_stays_within_the_weight_budget(room: Room, symbols: int) -> None:
    """Twelve cycles with a fill in each: trades are read for the symbol that changed, not for every symbol."""
    names = [BTC, *(f"A{number}/USDT" for number in range(symbols - 1))]
    room.venue.symbols = tuple(names)
    for name in names:
        room.want("0.1", name)
    guard = room.guard()
    cycles(room, guard, 3)
    counted = count(room)
    for number in range(12):
        stop = next(order for order in room.venue.book.values() if order.state in RESTING and order.symbol == BTC)
        room.venue.fill(stop.client_order_id, Decimal("0.002"))
        cycles(room, guard, 1)
        assert counted["open_orders"] == number + 1
    assert counted["trades"] <= 4 * 12
    assert weight(counted) <= 1200 * 5 / 2, "half of the address's budget: the other half is the market data's"


def test_the_ten_minute_sweep_reads_every_known_symbol_once(room: Room) -> None:
    names = [BTC, *(f"A{number}/USDT" for number in range(19))]
    room.venue.symbols = tuple(names)
    for name in names:
        room.want("0.1", name)
    guard = room.guard()
    cycles(room, guard, 3)
    counted = count(room)
    room.clock.advance(700)
    guard.cycle()
    assert counted["trades"] == 20
    assert weight(counted) <= 1000
