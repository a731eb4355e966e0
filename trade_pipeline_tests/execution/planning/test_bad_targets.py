"""A target that cannot be meant, or that wants too much, is its own symbol's trouble: nothing of it is sent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trade_pipeline.errors import BadTarget, FilterViolation, OutcomeUnknown, SymbolUnknown
from trade_pipeline.ledger.records import Target
from trade_pipeline.schemas.trading import OrderState, Side, TargetKind
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, make_rules
from trade_pipeline_tests.fakes import make_target

ETH, SOL = "ETH/USDT", "SOL/USDT"
ONE = Decimal(1)


def flat(symbol: str) -> Target:
    return make_target(symbol=symbol, kind=TargetKind.FLAT, quantity=Decimal(0), sleeves={})


def nine(symbol: str) -> Target:
    return make_target(symbol=symbol, quantity=Decimal(9), sleeves={"trend": Decimal(9)})


@pytest.fixture
def invested(room: Room) -> Room:
    """One ETH is held."""
    room.venue.symbols = (BTC, ETH, SOL)
    room.want("1", symbol=ETH)
    room.clock.advance(60)
    return room


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1"])
@pytest.mark.parametrize("field", ["price", "sleeves", "quantity", "stop_distance"])
def test_the_others_are_bought_and_sold_and_the_claim_has_its_outcome(invested: Room, field: str, value: str) -> None:
    number = Decimal(value)
    given: object = {"trend": ONE, "other": number} if field == "sleeves" else number
    bad = replace(make_target(), **{field: given})  # type: ignore[arg-type]  # by name
    named = invested.decide(bad, flat(ETH), make_target(symbol=SOL))
    done = invested.execute(named, run_id="again")

    assert {order.symbol for order in done.orders} == {ETH, SOL}
    assert invested.held(ETH) < Decimal("0.01") and invested.held(SOL) > 0 and invested.held(BTC) == 0
    error = done.verdicts[BTC].error
    assert isinstance(error, BadTarget)
    # A column of bounded scale keeps what is infinite as NaN.
    assert error.thing == BTC and error.value in {value, "NaN"} and error.repair
    outcomes = {outcome.stage: outcome for outcome in invested.ledger.outcomes(named)}
    kept = outcomes["execute"].detail["verdicts"][BTC]["error"]  # type: ignore[index]  # what JSON made of it
    assert kept == {"kind": "BadTarget", "thing": BTC, "value": error.value, "repair": error.repair}


def test_a_symbol_that_the_exchange_does_not_list_is_named_and_the_others_are_traded(invested: Room) -> None:
    named = invested.decide(make_target(symbol="OLD/USDT"), flat(ETH), make_target(symbol=SOL))
    done = invested.execute(named, run_id="again")
    assert {order.symbol for order in done.orders} == {ETH, SOL}
    error = done.verdicts["OLD/USDT"].error
    assert isinstance(error, SymbolUnknown)
    assert (error.thing, error.value) == ("OLD/USDT", "OLD/USDT") and "universe" in error.repair


def test_a_symbol_that_is_listed_and_no_longer_traded_is_named(invested: Room) -> None:
    markets = {**invested.venue.markets(), SOL: replace(make_rules(SOL), active=False)}
    invested.venue.markets = lambda: markets  # type: ignore[method-assign]  # delisted meanwhile
    done = invested.execute(invested.decide(make_target(symbol=SOL), flat(ETH)), run_id="again")
    assert {order.symbol for order in done.orders} == {ETH}
    error = done.verdicts[SOL].error
    assert isinstance(error, SymbolUnknown)
    assert (error.thing, error.value) == (SOL, "inactive") and "delisted" in error.repair


def test_an_amount_below_the_minimum_is_named_with_what_an_order_needs(invested: Room) -> None:
    tiny = Decimal("0.0004")
    least = make_target(quantity=tiny, sleeves={"trend": tiny})
    settings = invested.desk.settings.model_copy(
        update={"execution": invested.desk.settings.execution.model_copy(update={"band_notional_multiple": Decimal(0)})}
    )
    invested.desk = replace(invested.desk, settings=settings)
    sent = len(invested.venue.created)
    done = invested.execute(invested.decide(least), run_id="again")
    error = done.verdicts[BTC].error
    assert isinstance(error, FilterViolation)
    assert (error.thing, error.value) == (BTC, "0.0004") and "at least 0.001 BTC worth 5 USDT" in error.repair
    assert len(invested.venue.created) == sent


def test_what_nobody_foresaw_ends_the_run_and_is_written_to_the_decision(invested: Room) -> None:
    def break_down(symbols: object) -> dict[str, object]:
        raise ZeroDivisionError("nobody foresaw it")

    invested.venue.book_tops = break_down  # type: ignore[assignment,method-assign]  # a venue that is wrong itself
    named = invested.decide(flat(ETH))
    with pytest.raises(ZeroDivisionError):
        invested.execute(named, run_id="again")
    assert "failed: ZeroDivisionError: nobody foresaw it" in [o.outcome for o in invested.ledger.outcomes(named)]


def limited(room: Room, position: str = "0.10", total: str = "0.60") -> Room:
    portfolio = {"position_weight_max": position, "total_weight_max": total}
    settings = Settings.model_validate({**room.desk.settings.model_dump(), "portfolio": portfolio})
    room.desk = replace(room.desk, settings=settings)
    return room


def test_a_target_for_the_whole_account_and_more_buys_what_a_position_may_be(room: Room) -> None:
    limited(room)
    room.clock.advance(60)
    wanted = Decimal("1e30")
    done = room.execute(room.decide(make_target(quantity=wanted, sleeves={"trend": wanted})))
    (order,) = done.orders
    assert Decimal(990) < order.quote_filled <= Decimal(1000)
    assert "position_weight_max 0.10" in done.verdicts[BTC].reason


def test_an_order_whose_fate_is_unknown_leaves_no_room(room: Room) -> None:
    limited(room, "0.10", "0.10")
    room.venue.symbols = (BTC, ETH)
    room.venue.faults["create"].append(OutcomeUnknown("cut", thing="create"))
    room.venue.faults["order"] += [OutcomeUnknown("cut", thing="order")] * 9
    assert [order.state for order in room.want("9").orders] == [OrderState.UNKNOWN]
    done = room.want("5", symbol=ETH)
    assert sum((order.request.amount for order in done.orders), Decimal(0)) < 1
    assert "total_weight_max 0.10" in done.verdicts[ETH].reason


def test_what_a_sale_brings_is_room_in_the_same_run(room: Room) -> None:
    limited(room, "0.10", "0.10")
    room.venue.symbols = (BTC, ETH)
    room.want("9")
    room.clock.advance(60)
    done = room.execute(room.decide(flat(BTC), nine(ETH)))
    assert [(order.symbol, order.request.side) for order in done.orders] == [(BTC, Side.SELL), (ETH, Side.BUY)]
    assert room.held(ETH) > Decimal("8.9")
    assert len(done.slippage) == 2


def test_a_sale_whose_fate_is_unknown_makes_no_room(room: Room) -> None:
    limited(room, "0.10", "0.10")
    room.venue.symbols = (BTC, ETH)
    room.want("9")
    room.clock.advance(60)
    room.venue.faults["create"].append(OutcomeUnknown("cut", thing="create"))
    done = room.execute(room.decide(flat(BTC), nine(ETH)))
    assert all(order.request.amount < 2 for order in done.orders if order.request.side == Side.BUY)
    assert "total_weight_max" in done.verdicts[ETH].reason
