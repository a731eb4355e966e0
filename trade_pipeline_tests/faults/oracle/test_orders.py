"""Broken orders: each promise about an order is broken once by hand, and found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trade_pipeline.faults.oracle.book import OrderEventRow
from trade_pipeline_tests.exchange.builders import SYMBOL, dec, request
from trade_pipeline_tests.faults.oracle.scene import (
    ENTRY,
    PREFIX,
    STOP,
    Scene,
    at,
)

OTHER = PREFIX + "c" * 28


def test_03_an_invented_fill(scene: Scene) -> None:
    scene.add("fills", replace(scene.rows["fills"][0], trade_id="99", venue_order_id="77"))
    assert scene.broken(quiet=False) == {"03"}


def test_03_a_fill_booked_twice(scene: Scene) -> None:
    scene.add("fills", scene.rows["fills"][0])
    assert "03" in scene.broken(quiet=False)


def test_03_a_fill_with_another_fee(scene: Scene) -> None:
    scene.change("fills", lambda row: row.trade_id == "1", fee_asset="BNB")
    assert "03" in scene.broken(quiet=False)


def test_04_filled_that_no_fill_explains(scene: Scene) -> None:
    scene.change("orders", lambda row: row.client_order_id == ENTRY, filled=dec("8.5"))
    assert "04" in scene.broken(quiet=False)


def test_04_filled_that_shrinks(scene: Scene) -> None:
    scene.memory.filled[ENTRY] = dec("9.1")
    assert scene.broken() == {"04"}


def test_05_two_live_orders_of_one_role(scene: Scene) -> None:
    scene.change("orders", lambda row: row.client_order_id == STOP, amount=dec(4))
    scene.place(OTHER, "entry", "LIMIT", 1, second=70, price=90)
    scene.place(PREFIX + "d" * 28, "entry", "LIMIT", 1, second=71, price=91)
    found = [v for v in scene.violations(quiet=False) if v.invariant == "invariant_05"]
    assert {v.detail for v in found} == {"2 are live in the ledger", "2 are open at the exchange"}


def test_05_an_order_left_open_at_the_exchange_counts_although_the_ledger_forgot_it(scene: Scene) -> None:
    scene.place(OTHER, "entry", "LIMIT", 1, second=70, price=90)
    scene.change("orders", lambda row: row.client_order_id == OTHER, state="CANCELED")
    scene.place(PREFIX + "d" * 28, "entry", "LIMIT", 1, second=71, price=91)
    assert {"05", "18"} <= scene.broken(quiet=False)


def test_05_sells_above_the_managed_position(scene: Scene) -> None:
    scene.engine.state.balances.add("BTC", dec(5))
    scene.place(OTHER, "exit", "LIMIT", 1, second=70, price=120)
    found = scene.violations(quiet=False)
    assert [(v.invariant, v.subject) for v in found] == [("invariant_05", SYMBOL)]
    assert "open sells of 9.991, managed are 8.991" in found[0].detail


def test_05_a_buy_that_crosses_a_sell_of_ours(scene: Scene) -> None:
    scene.engine.cancel(SYMBOL, 70_000, client_id=STOP)
    scene.change("orders", lambda row: row.client_order_id == STOP, state="CANCELED")
    scene.place(OTHER, "exit", "LIMIT", 1, second=71, price=101)
    scene.place(PREFIX + "d" * 28, "entry", "LIMIT", 1, second=72, price=99)
    assert "05" not in scene.broken(quiet=False)
    scene.engine.state.by_client_id(SYMBOL, OTHER).price = dec(99)  # type: ignore[union-attr]  # it was just placed
    assert "05" in scene.broken(quiet=False)


def test_07_the_exchange_id_of_another_order(scene: Scene) -> None:
    scene.change("orders", lambda row: row.client_order_id == STOP, venue_order_id="55")
    assert scene.broken(quiet=False) == {"07"}


@pytest.mark.parametrize("states", [["SENT", "FILLED"], ["PLANNED", "OPEN", "FILLED"],
                                    ["PLANNED", "SENT", "SENT", "FILLED"],
                                    ["PLANNED", "SENT", "OPEN", "SENT", "FILLED"],
                                    ["PLANNED", "ABANDONED", "FILLED"],
                                    ["PLANNED", "SENT", "FILLED", "OPEN"]])  # fmt: skip
def test_08_steps_that_are_not_listed(scene: Scene, states: list[str]) -> None:
    rest = [row for row in scene.rows["order_events"] if row.client_order_id != ENTRY]
    rows = [OrderEventRow(100 + n, ENTRY, at(61), state, "test") for n, state in enumerate(states)]
    scene.rows["order_events"] = rest + rows
    assert scene.broken() == {"08"}


@pytest.mark.parametrize("states", [["PLANNED", "SENT", "UNKNOWN", "FILLED"],
                                    ["PLANNED", "SENT", "OPEN", "PENDING_CANCEL", "OPEN", "FILLED"],
                                    ["PLANNED", "SENT", "OPEN", "CANCELED", "FILLED"]])  # fmt: skip
def test_08_listed_steps_are_fine(scene: Scene, states: list[str]) -> None:
    rest = [row for row in scene.rows["order_events"] if row.client_order_id != ENTRY]
    rows = [OrderEventRow(100 + n, ENTRY, at(61), state, "test") for n, state in enumerate(states)]
    scene.rows["order_events"] = rest + rows
    assert scene.broken() == set()


def test_14_a_client_id_that_the_exchange_accepted_twice(scene: Scene) -> None:
    scene.engine.place(request("buy", "MARKET", "0.1", client_id=ENTRY), 63_000)
    assert "14" in scene.broken(quiet=False)


def test_14_a_request_that_crossed_again_after_its_answer_was_lost(scene: Scene) -> None:
    scene.arrivals.insert(0, replace(scene.arrivals[0], accepted=False, told=False))
    assert scene.broken() == {"14"}


def test_14_a_request_may_cross_again_after_it_was_certainly_refused(scene: Scene) -> None:
    scene.arrivals.insert(0, replace(scene.arrivals[0], accepted=False, told=True, refusal="-1021 Timestamp"))
    assert scene.broken() == set()


def test_14_a_new_attempt_after_the_first_had_filled(scene: Scene) -> None:
    scene.place(OTHER, "entry", "MARKET", 1, second=64, intent="intent-aaaa", attempt=1)
    found = [v for v in scene.violations(quiet=False) if v.invariant == "invariant_14"]
    assert [v.subject for v in found] == ["intent intent-aaaa"]


def test_14_a_new_attempt_for_what_the_first_left_is_fine(scene: Scene) -> None:
    scene.change("intents", lambda row: row.intent_id == "intent-aaaa", amount=dec(10))
    scene.place(OTHER, "entry", "MARKET", 1, second=64, intent="intent-aaaa", attempt=1)
    assert "14" not in scene.broken(quiet=False)


def test_14_an_order_still_sent_when_all_is_quiet(scene: Scene) -> None:
    scene.change("orders", lambda row: row.client_order_id == STOP, state="SENT")
    scene.rows["order_events"].pop()
    assert scene.broken() == {"14"}


def test_18_a_rejection_that_the_exchange_never_spoke(scene: Scene) -> None:
    scene.change("orders", lambda row: row.client_order_id == ENTRY, state="REJECTED")
    scene.change("order_events", lambda row: (row.client_order_id, row.state) == (ENTRY, "FILLED"), state="REJECTED")
    assert scene.broken(quiet=False) == {"18"}


def test_18_an_absent_order_that_is_there(scene: Scene) -> None:
    scene.change("orders", lambda row: row.client_order_id == STOP, state="ABSENT")
    assert "18" in scene.broken(quiet=False)


def test_18_a_cancelled_order_with_fills_that_nobody_booked(scene: Scene) -> None:
    scene.change("orders", lambda row: row.client_order_id == ENTRY, state="CANCELED", filled=dec(8))
    assert "18" in scene.broken()


def test_21_a_row_that_went_away(scene: Scene) -> None:
    assert scene.broken() == set()
    scene.rows["decisions"].pop()
    assert scene.broken() == {"21"}
