"""Trades that an exchange tells wrongly halt their symbol, are told once, and take nothing else with them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from trade_pipeline_tests.execution.conflicts.steps import holding, outcomes, rows
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC
from trade_pipeline_tests.reliability.conftest import BOUGHT, later


def swept(room: Room) -> None:
    """The guard reads back all trades of the symbol."""
    guard = room.guard()
    guard.cycle()
    later(room, guard, cycles=2)


def test_a_booked_trade_that_is_told_otherwise_halts_its_symbol_and_changes_nothing(room: Room) -> None:
    holding(room)
    room.venue.all_trades[0] = replace(room.venue.all_trades[0], amount=Decimal(7))

    swept(room)

    assert outcomes(room, "bad_trade") == ["found", "halted"]
    assert "amount booked 1, told 7" in room.desk.halts()[BTC]
    assert room.held() == BOUGHT


def test_a_trade_without_a_price_halts_its_symbol_and_the_guard_goes_on(room: Room) -> None:
    holding(room)
    room.venue.all_trades.append(replace(room.venue.all_trades[0], trade_id="2", price=Decimal(0)))

    swept(room)

    assert "trade 2" in room.desk.halts()[BTC]
    assert "its price is 0" in room.desk.halts()[BTC]
    assert outcomes(room, "bad_trade") == ["found", "halted"]
    assert room.held() == BOUGHT


def test_the_halt_ends_when_a_person_unlocks_the_symbol(room: Room) -> None:
    holding(room)
    room.venue.all_trades[0] = replace(room.venue.all_trades[0], amount=Decimal(7))
    swept(room)

    room.ledger.unlock("main", "*", BTC)
    guard = room.guard()
    guard.cycle()
    later(room, guard, cycles=2)

    assert BTC not in room.desk.halts()
    assert rows(room, "bad_trade")[-1].outcome == "resolved"
