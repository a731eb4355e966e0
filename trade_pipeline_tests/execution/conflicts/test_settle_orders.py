"""Orders and trades of others, orders that the exchange denies, orders that nobody here knows of."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trade_pipeline.execution.desk import EVERY
from trade_pipeline.schemas.trading import AccountReading, Balance, OrderState, OrderType, Role
from trade_pipeline_tests.execution.conflicts.steps import THEIRS, allow, holding, outcomes, rows, sell_by_hand
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC
from trade_pipeline_tests.fakes import make_request
from trade_pipeline_tests.reliability.conftest import BOUGHT, later, only_stop


@pytest.mark.parametrize(("policy", "outcome"), [("ignore", "ignored"), ("halt", "halted"), ("adopt", "resolved")])
def test_a_foreign_order_is_seen_within_one_cycle_and_handled_by_policy(room: Room, policy: str, outcome: str) -> None:
    allow(room, foreign_orders=policy)
    guard = room.guard()
    guard.cycle()
    room.venue.create(make_request(THEIRS, price=Decimal(50)))
    later(room, guard)
    assert outcomes(room, "foreign_order") == ["found", outcome]
    assert (BTC in room.desk.halts()) == (policy == "halt")
    assert (room.ledger.order(THEIRS) is not None) == (policy == "adopt")
    later(room, room.guard(), cycles=2)
    assert outcomes(room, "foreign_order") == ["found", outcome], "a restart does not tell it again"
    room.venue.cancel(BTC, THEIRS)
    later(room, room.guard(), cycles=2)
    assert room.ledger.open_conflicts("main") == []
    assert room.desk.halts() == {}


def test_a_manual_sale_that_is_adopted_reduces_the_position_at_its_price(room: Room) -> None:
    allow(room, manual_trades="adopt")
    guard = holding(room)
    sell_by_hand(room, "0.5")
    later(room, guard, cycles=3)
    assert room.held() == BOUGHT - Decimal("0.5")
    assert room.ledger.open_conflicts("main") == []
    assert rows(room, "position_short") == [], "compared after the adoption"


def test_a_manual_purchase_that_is_adopted_becomes_managed_and_gets_a_stop(room: Room) -> None:
    allow(room, manual_trades="adopt")
    guard = room.guard()
    guard.cycle()
    room.venue.create(make_request(THEIRS, type=OrderType.MARKET, price=None))
    later(room, guard, cycles=2)
    assert room.held() == BOUGHT
    assert only_stop(room).amount == BOUGHT


def test_a_manual_trade_that_halts_is_over_when_a_person_unlocks(room: Room) -> None:
    allow(room, manual_trades="halt")
    guard = room.guard()
    guard.cycle()
    room.venue.create(make_request(THEIRS, type=OrderType.MARKET, price=None))
    later(room, guard, cycles=3)
    assert BTC in room.desk.halts()
    room.ledger.unlock("main", EVERY, BTC)
    later(room, guard, cycles=3)
    assert room.desk.halts() == {}
    assert outcomes(room, "foreign_trade") == ["found", "halted", "resolved"]


def test_a_stop_that_the_exchange_denies_ends_with_proof_and_is_placed_anew(room: Room) -> None:
    guard = holding(room)
    stop = only_stop(room)
    del room.venue.book[stop.client_order_id]
    later(room, guard, cycles=5)
    ended = room.ledger.order(stop.client_order_id)
    assert ended is not None
    assert ended.state == OrderState.CANCELED
    assert only_stop(room).amount == BOUGHT
    assert outcomes(room, "missing_order") == ["found", "resolved"]
    assert room.ledger.open_conflicts("main") == []


def test_a_denied_order_whose_coins_are_still_locked_is_not_believed_gone(room: Room) -> None:
    guard = holding(room)
    stop = only_stop(room)
    account = room.venue.account()
    del room.venue.book[stop.client_order_id]
    locked = {**account.balances, "BTC": Balance("BTC", Decimal(0), BOUGHT)}
    room.venue.account = lambda: AccountReading(locked, room.clock())  # type: ignore[method-assign]  # says so still
    later(room, guard, cycles=5)
    known = room.ledger.order(stop.client_order_id)
    assert known is not None
    assert known.state == OrderState.OPEN
    assert outcomes(room, "missing_order") == ["found", "halted"]
    assert BTC in room.desk.halts()


def test_two_open_orders_with_one_client_id_halt_and_neither_is_believed(room: Room) -> None:
    guard = holding(room)
    stop, listed = only_stop(room), room.venue.open_orders
    twin = replace(stop, order_id="9999", filled=Decimal("0.5"))
    room.venue.open_orders = lambda symbol=None: [stop, twin]  # type: ignore[method-assign]  # a broken answer
    later(room, guard)
    assert "the same client order id" in room.desk.halts()[BTC]
    known = room.ledger.order(stop.client_order_id)
    assert known is not None
    assert (known.state, known.filled) == (OrderState.OPEN, Decimal(0))
    room.venue.open_orders = listed  # type: ignore[method-assign]
    later(room, guard)
    assert room.desk.halts() == {}


def test_an_orphan_is_adopted_and_its_conflict_is_in_the_history(room: Room) -> None:
    guard = room.guard()
    guard.cycle()
    named = "7c01" + "e" * 28
    room.venue.create(make_request(named, price=Decimal(50)))
    later(room, guard, cycles=3)
    adopted = room.ledger.order(named)
    assert adopted is not None
    assert (adopted.role, adopted.state) == (Role.ENTRY, OrderState.OPEN)
    assert outcomes(room, "orphan_order") == ["found", "resolved"]


def test_an_orphan_halts_where_the_settings_say_so_until_a_person_unlocks(room: Room) -> None:
    allow(room, orphan_order="halt")
    guard = room.guard()
    guard.cycle()
    named = "7c01" + "e" * 28
    room.venue.create(make_request(named, price=Decimal(50)))
    later(room, guard, cycles=3)
    assert "no intent" in room.desk.halts()[BTC]
    assert outcomes(room, "orphan_order") == ["found", "halted"]
    room.venue.cancel(BTC, named)
    later(room, guard, cycles=2)
    room.ledger.unlock("main", EVERY, BTC)
    later(room, room.guard(), cycles=2)
    assert room.ledger.open_conflicts("main") == []
    assert room.desk.halts() == {}
