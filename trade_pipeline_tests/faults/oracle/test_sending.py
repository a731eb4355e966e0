"""Broken sends: each promise about what may cross the wire is broken once by hand, and found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from trade_pipeline.faults.oracle.book import DecisionRow, LockRow
from trade_pipeline_tests.exchange.builders import SYMBOL, dec, request
from trade_pipeline_tests.faults.oracle.scene import (
    PREFIX,
    Scene,
    at,
    event,
)

OTHER = PREFIX + "c" * 28


@pytest.mark.parametrize("state", [None, "PLANNED"])
def test_06_a_request_that_arrived_before_sent_was_committed(scene: Scene, state: str | None) -> None:
    scene.arrivals[0] = replace(scene.arrivals[0], booked_state=state)
    assert scene.broken() == {"06"}


def test_06_an_order_that_crossed_and_is_not_in_the_ledger(scene: Scene) -> None:
    scene.place(OTHER, "entry", "LIMIT", "0.1", price=90, second=63)
    scene.rows["orders"].pop()
    assert "06" in scene.broken(quiet=False)


def test_06_a_stray_with_our_prefix_is_adopted_or_halts(scene: Scene) -> None:
    scene.engine.place(request("buy", "LIMIT", "0.1", price=90, client_id=OTHER), 63_000)
    assert scene.broken(quiet=False) == set()
    assert scene.broken() == {"06"}
    scene.add("locks", LockRow("*", SYMBOL, "no intent", at(70), None, None))
    assert scene.broken() == set()


def test_06_an_order_of_somebody_else_is_nobody_s_business(scene: Scene) -> None:
    scene.engine.place(request("buy", "LIMIT", "0.1", price=90, client_id="web_1"), 63_000)
    assert scene.broken() == set()


def test_09_a_buy_while_the_breaker_was_open(scene: Scene) -> None:
    scene.add("events", event("breaker_opened", 60.9))
    assert scene.broken() == {"09"}


@pytest.mark.parametrize("changes", [{"symbol": "ETH/USDT"}, {"detail": {"scope": "ETH/USDT"}}])
def test_09_the_breaker_of_another_symbol_does_not_count(scene: Scene, changes: dict[str, Any]) -> None:
    scene.add("events", event("breaker_opened", 60.9, **changes))
    assert scene.broken() == set()


def test_09_a_buy_after_it_closed_is_fine(scene: Scene) -> None:
    scene.add("events", event("breaker_opened", 30), event("breaker_half_open", 50), event("breaker_closed", 60))
    assert scene.broken() == set()


def test_09_an_entry_that_rests_on_after_the_opening(scene: Scene) -> None:
    scene.place(OTHER, "entry", "LIMIT", 1, second=70, price=90)
    scene.add("events", event("breaker_opened", 80))
    scene.now = at(84.9)
    assert scene.broken() == set()
    scene.now = at(85.1)
    assert scene.broken() == {"09"}


def test_09_the_five_seconds_count_from_the_last_disturbance(scene: Scene) -> None:
    scene.place(OTHER, "entry", "LIMIT", 1, second=70, price=90)
    scene.add("events", event("breaker_opened", 80))
    scene.now = at(88)
    assert scene.broken(disturbances=[(at(79), at(84))]) == set()
    assert scene.broken(disturbances=[(at(70), at(79))]) == {"09"}


def test_15_a_buy_above_the_symbol_s_share(scene: Scene) -> None:
    scene.arrivals[0] = replace(scene.arrivals[0], worst_symbol_quote=dec(1021))
    assert scene.broken() == {"15"}


def test_15_a_buy_above_the_account_s_share(scene: Scene) -> None:
    scene.arrivals[0] = replace(scene.arrivals[0], worst_total_quote=dec(6121))
    assert scene.broken() == {"15"}


def test_15_a_sell_may_always_leave(scene: Scene) -> None:
    scene.arrivals[1] = replace(scene.arrivals[1], worst_symbol_quote=dec(5000))
    assert scene.broken() == set()


@pytest.mark.parametrize("changes", [{"amount": dec("8.9910001")}, {"price": dec("94.001")},
                                     {"stop_price": dec("94.999")}, {"amount": dec("0.01")},
                                     {"refusal": "-1013 Filter failure: NOTIONAL"}])  # fmt: skip
def test_16_off_the_grid_or_below_the_minimum(scene: Scene, changes: dict[str, object]) -> None:
    scene.arrivals[1] = replace(scene.arrivals[1], **changes)  # type: ignore[arg-type]  # one field each
    assert scene.broken() == {"16"}


def test_17_a_sender_that_had_lost_the_lease(scene: Scene) -> None:
    scene.arrivals[0] = replace(scene.arrivals[0], lease_holder="execute:2")
    assert scene.broken() == {"17"}


def test_17_a_lease_that_had_run_out(scene: Scene) -> None:
    scene.arrivals[0] = replace(scene.arrivals[0], lease_until=at(61))
    assert scene.broken() == {"17"}


def test_17_a_request_delayed_beyond_its_lease_left_in_time(scene: Scene) -> None:
    scene.arrivals[0] = replace(scene.arrivals[0], left_at=at(58), lease_until=at(59))
    assert scene.broken() == set()
    scene.arrivals[0] = replace(scene.arrivals[0], lease_until=at(57))
    assert scene.broken() == {"17"}


def test_26_a_buy_for_an_expired_decision(scene: Scene) -> None:
    scene.change("decisions", lambda row: True, expires_at=at(60.9))
    assert scene.broken() == {"26"}


def test_26_an_order_for_a_superseded_decision(scene: Scene) -> None:
    scene.add("decisions", DecisionRow("decision-2", at(120), at(60.8), at(180)))
    assert scene.broken() == {"26"}
