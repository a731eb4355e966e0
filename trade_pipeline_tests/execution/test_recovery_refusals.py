"""Refusals by the recovery table: what ends, what is sent smaller or at market, what opens the breaker."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trade_pipeline.errors import (
    AuthenticationFailed,
    Banned,
    FilterViolation,
    InsufficientFunds,
    OrderRefused,
    SymbolUnknown,
    TradePipelineError,
    WouldTriggerImmediately,
)
from trade_pipeline.execution.recovery import action_of
from trade_pipeline.ledger.records import Lease
from trade_pipeline.schemas.trading import OrderState, OrderType, Side, TargetKind
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC
from trade_pipeline_tests.execution.recovery_room import buy, counted, opened
from trade_pipeline_tests.fakes import make_target


@pytest.mark.parametrize("error", [OrderRefused("no"), SymbolUnknown("gone")])
def test_a_refusal_ends_the_order_and_nothing_else(room: Room, lease: Lease, error: TradePipelineError) -> None:
    room.venue.faults["create"].append(error)
    order = buy(room, lease)
    assert (order.state, action_of(order)) == (OrderState.REJECTED, "skip")
    assert (len(room.venue.created), opened(room)) == (1, [])
    assert counted(room) == {("submit", type(error).__name__, "skip", False): 1}


def test_too_little_money_buys_what_it_covers_once_and_under_a_new_id(room: Room) -> None:
    room.venue.faults["create"].append(InsufficientFunds("no"))
    room.venue.account = _with_free(room, "USDT", 40)  # type: ignore[method-assign]  # from the second reading on
    report = room.want("1")
    first, second = room.venue.created
    assert first.client_order_id != second.client_order_id
    assert (first.amount, second.amount) == (Decimal(1), Decimal("0.398"))
    assert [order.attempt for order in report.orders] == [0, 1]
    assert len({order.intent_id for order in report.orders}) == 1
    assert report.orders[1].state == OrderState.FILLED
    assert counted(room) == {("submit", "InsufficientFunds", "reduce", True): 1}


def test_a_second_refusal_for_money_is_the_end(room: Room) -> None:
    room.venue.faults["create"].extend([InsufficientFunds("no")] * 5)
    room.venue.account = _with_free(room, "USDT", 40)  # type: ignore[method-assign]  # from the second reading on
    room.want("1")
    assert len(room.venue.created) == 2
    assert counted(room)["submit", "InsufficientFunds", "reduce", False] == 1


def test_what_is_covered_and_too_small_is_not_sent(room: Room) -> None:
    room.venue.faults["create"].append(InsufficientFunds("no"))
    room.venue.account = _with_free(room, "USDT", 5)  # type: ignore[method-assign]  # from the second reading on
    room.want("1")
    assert len(room.venue.created) == 1


def test_a_sale_off_the_grid_goes_to_the_market_and_a_purchase_does_not(room: Room) -> None:
    room.want("1")
    room.venue.faults["create"].append(FilterViolation("PERCENT_PRICE_BY_SIDE"))
    report = room.want(None)
    assert [request.type for request in room.venue.created] == [OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET]
    assert report.orders[-1].state == OrderState.FILLED
    assert room.held() < Decimal("0.001")
    room.venue.faults["create"].append(FilterViolation("PERCENT_PRICE_BY_SIDE"))
    room.want("1")
    assert len(room.venue.created) == 4
    assert counted(room) == {
        ("submit", "FilterViolation", "fallback", True): 1,
        ("submit", "FilterViolation", "fallback", False): 1,
    }


def test_a_stop_whose_price_is_passed_sells_the_position(room: Room) -> None:
    room.want("1")
    room.venue.faults["create"].append(WouldTriggerImmediately("Stop price would trigger immediately."))
    room.guard().cycle()
    assert [request.side for request in room.venue.created] == [Side.BUY, Side.SELL, Side.SELL]
    assert room.held() < Decimal("0.001")
    assert counted(room)["guard", "WouldTriggerImmediately", "exit", True] == 1


@pytest.mark.parametrize(
    ("error", "dimension"), [(Banned("418"), "banned"), (AuthenticationFailed("-2015"), "authentication")]
)
def test_a_ban_or_a_bad_key_certainly_sent_nothing_and_opens_the_breaker(
    room: Room, lease: Lease, error: TradePipelineError, dimension: str
) -> None:
    room.venue.faults["create"].append(error)
    order = buy(room, lease)
    assert (order.state, action_of(order)) == (OrderState.REJECTED, "halt")
    assert (len(room.venue.created), opened(room)) == (1, [("*", dimension)])
    assert counted(room) == {("submit", type(error).__name__, "halt", False): 1}


def test_a_ban_in_the_middle_of_a_plan_stops_the_purchases_behind_it_and_no_sale(room: Room) -> None:
    room.venue.symbols = (BTC, "ETH/USDT", "XRP/USDT")
    room.want("1", "XRP/USDT")
    room.clock.advance(60)
    wanted = [
        make_target(symbol=BTC, quantity=Decimal(1), sleeves={"trend": Decimal(1)}),
        make_target(symbol="ETH/USDT", quantity=Decimal(1), sleeves={"trend": Decimal(1)}),
        make_target(symbol="XRP/USDT", kind=TargetKind.FLAT, quantity=None, sleeves={}),
    ]
    room.venue.faults["create"].append(Banned("418"))
    report = room.execute(room.decide(*wanted), run_id="banned")
    assert [request.symbol for request in room.venue.created[1:]] == ["XRP/USDT"]
    assert "circuit breaker is open" in report.verdicts[BTC].reason
    assert "circuit breaker is open" in report.verdicts["ETH/USDT"].reason


def _with_free(room: Room, asset: str, free: int):  # type: ignore[no-untyped-def]  # stands in for account
    """The account as it is, and with that much free of one asset once something was refused."""
    real = room.venue.account

    def account():  # type: ignore[no-untyped-def]  # as above
        reading = real()
        if not room.venue.created:
            return reading
        balance = replace(reading.balances[asset], free=Decimal(free))
        return replace(reading, balances={**reading.balances, asset: balance})

    return account
