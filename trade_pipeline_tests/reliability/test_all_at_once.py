"""TRADING rule 11: feed corrupt, breaker open, symbol halted, account paused, all at once. Risk still goes down."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trade_pipeline.execution.breaker.hand import RETRIES_EXHAUSTED, open_breaker, open_for
from trade_pipeline.execution.control import pause
from trade_pipeline.execution.desk import EVERY
from trade_pipeline.execution.execute import Execution
from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.ledger.records import Lock
from trade_pipeline.schemas.trading import OrderType, Role, Side, TargetKind
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC
from trade_pipeline_tests.fakes import make_target
from trade_pipeline_tests.reliability.conftest import BOUGHT, last_order, later, only_stop

CORRUPT = ("bars: high below low of BTC/USDT", "features: the table is older than the bar")


@pytest.fixture
def besieged(room: Room, bought: Guard) -> Guard:
    """The guard of an account that holds BTC while everything that can stop a purchase stops it."""
    now = room.clock()
    open_breaker(room.ledger, "main", "*", "a person says so", now)
    open_for(room.desk, BTC, RETRIES_EXHAUSTED, "five answers were lost")
    for symbol in (BTC, EVERY):
        room.ledger.lock(Lock("main", EVERY, symbol, "an order that nobody explains", now))
    pause(room.desk.home, "wait", now)
    return bought


def wanted(room: Room, quantity: str) -> Execution:
    """A decision whose data checks have failed."""
    room.clock.advance(60)
    flat = quantity == "0"
    target = make_target(
        kind=TargetKind.FLAT if flat else TargetKind.SET,
        quantity=Decimal(quantity),
        sleeves={} if flat else {"trend": Decimal(quantity)},
    )
    return room.execute(room.decide(target), reasons=CORRUPT, run_id=f"run-{room.decisions}")


def test_a_stop_that_the_exchange_triggers_sells_and_is_booked(room: Room, besieged: Guard) -> None:
    later(room, besieged)
    stop = only_stop(room)
    room.venue.prices[BTC] = "95"
    room.venue.fill(stop.client_order_id)
    later(room, besieged)

    assert room.held() == 0
    assert last_order(room, Role.PROTECT).filled == BOUGHT


def test_a_stop_that_is_jumped_over_is_sold_to_the_market_by_the_guard(room: Room, besieged: Guard) -> None:
    room.venue.prices[BTC] = "80"
    later(room, besieged)

    assert room.venue.created[-1].type == OrderType.MARKET
    assert room.held() == 0


def test_a_stop_that_somebody_cancelled_is_put_back(room: Room, besieged: Guard) -> None:
    room.venue.cancel(BTC, only_stop(room).client_order_id)
    later(room, besieged, cycles=2)
    assert only_stop(room).amount == BOUGHT


def test_flat_sells_all_of_it(room: Room, besieged: Guard) -> None:
    assert wanted(room, "0").verdicts[BTC].action == "sell"
    assert room.held() == 0


def test_a_smaller_target_sells_the_difference_and_the_rest_stays_protected(room: Room, besieged: Guard) -> None:
    wanted(room, "0.4")
    later(room, besieged, cycles=2)
    assert room.held() == Decimal("0.4")
    assert only_stop(room).amount == Decimal("0.4")


def test_nothing_is_bought_and_the_stop_stays(room: Room, besieged: Guard) -> None:
    sent, stop = len(room.venue.created), only_stop(room)
    result = wanted(room, "2")
    later(room, besieged, cycles=5)

    assert [request for request in room.venue.created[sent:] if request.side == Side.BUY] == []
    assert result.verdicts[BTC].action == "none"
    assert only_stop(room) == stop
