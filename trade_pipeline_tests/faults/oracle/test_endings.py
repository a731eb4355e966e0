"""Broken endings: each promise about the end, and each time limit, is broken once by hand, and found."""

from __future__ import annotations

from datetime import timedelta

import pytest

from trade_pipeline.faults.oracle.book import LockRow, OrderEventRow
from trade_pipeline_tests.exchange.builders import SYMBOL, request, step
from trade_pipeline_tests.faults.oracle.scene import (
    PREFIX,
    STOP,
    Scene,
    at,
    event,
    fill_row,
)

OTHER = PREFIX + "c" * 28


def test_12_a_second_look_that_sends(scene: Scene) -> None:
    assert scene.broken(sends_after_quiet=1) == {"12"}


def test_13_a_fill_that_is_not_booked(scene: Scene) -> None:
    scene.engine.on_step(SYMBOL, step(90_000, 94.5))
    order = scene.engine.state.by_client_id(SYMBOL, STOP)
    assert order is not None and order.filled > 0
    assert "13" in scene.broken()


def test_13_an_open_breaker_admits_the_difference(scene: Scene) -> None:
    scene.engine.on_step(SYMBOL, step(90_000, 94.5))
    scene.add("events", event("breaker_opened", 95))
    assert "13" not in scene.broken()


def test_13_an_order_open_in_the_ledger_only(scene: Scene) -> None:
    scene.engine.cancel(SYMBOL, 90_000, client_id=STOP)
    scene.now = at(90)
    assert scene.broken() == {"13"}


def test_13_coins_sold_by_hand_that_nobody_noticed(scene: Scene) -> None:
    scene.engine.cancel(SYMBOL, 90_000, client_id=STOP)
    scene.change("orders", lambda row: row.client_order_id == STOP, state="CANCELED")
    scene.add("order_events", OrderEventRow(99, STOP, at(90), "CANCELED", "test"))
    sold = scene.engine.place(request("sell", "MARKET", "8.991", client_id="web_1"), 91_000)
    scene.add("fills", *(fill_row(trade) for trade in scene.engine.state.trades_of(sold.id)))
    assert scene.broken() == {"13"}
    scene.add("locks", LockRow("*", SYMBOL, "coins are missing", at(95), None, None))
    assert scene.broken() == set()


def test_22_an_unknown_order_that_nobody_speaks_of(scene: Scene) -> None:
    scene.change("orders", lambda row: row.client_order_id == STOP, state="UNKNOWN")
    scene.change("order_events", lambda row: (row.client_order_id, row.state) == (STOP, "OPEN"), state="UNKNOWN")
    scene.now = at(62 + 59)
    assert scene.broken() == set()
    scene.now = at(62 + 61)
    assert scene.broken() == {"22"}
    scene.add("events", event("order_unknown", 63, client_order_id=STOP))
    assert scene.broken() == set()
    scene.now = at(62 + 901)
    assert scene.broken() == {"22"}


def test_23_a_position_without_a_stop(scene: Scene) -> None:
    scene.engine.cancel(SYMBOL, 90_000, client_id=STOP)
    scene.now = at(91)
    assert "23" not in scene.broken(quiet=False)
    scene.now = at(100.9)
    assert "23" not in scene.broken(quiet=False)
    scene.now = at(101.1)
    assert "23" in scene.broken(quiet=False)


def test_23_the_time_counts_from_the_last_disturbance(scene: Scene) -> None:
    scene.engine.cancel(SYMBOL, 90_000, client_id=STOP)
    scene.now = at(91)
    scene.violations(quiet=False)
    scene.now = at(105)
    away = [(at(90), at(96))]
    assert "23" not in scene.broken(quiet=False, disturbances=away)
    scene.now = at(107)
    assert "23" in scene.broken(quiet=False, disturbances=away)


def test_23_while_a_sale_is_in_doubt_the_time_counts_from_its_bound(scene: Scene) -> None:
    scene.engine.cancel(SYMBOL, 90_000, client_id=STOP)
    scene.change("orders", lambda row: row.client_order_id == STOP, state="UNKNOWN", sent_at=at(90))
    scene.now = at(91)
    scene.violations(quiet=False)
    scene.now = at(114.9)
    assert "23" not in scene.broken(quiet=False)
    scene.now = at(115.1)
    assert "23" in scene.broken(quiet=False)


def test_23_a_stop_that_came_back_starts_the_time_again(scene: Scene) -> None:
    scene.engine.cancel(SYMBOL, 90_000, client_id=STOP)
    scene.now = at(91)
    scene.violations(quiet=False)
    scene.place(OTHER, "protect", "STOP_LOSS_LIMIT", "8.991", second=92, price=94, stop=95)
    scene.violations(quiet=False)
    assert scene.memory.unprotected_since == {}


@pytest.mark.parametrize("untradable", [frozenset({SYMBOL})])
def test_23_a_delisted_symbol_cannot_be_protected(scene: Scene, untradable: frozenset[str]) -> None:
    scene.engine.cancel(SYMBOL, 90_000, client_id=STOP)
    scene.violations(quiet=False, untradable=untradable)
    scene.now += timedelta(seconds=60)
    assert "23" not in scene.broken(quiet=False, untradable=untradable)
