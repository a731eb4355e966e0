"""Pause, flatten's mark and the record of positions are files that need no server."""

from __future__ import annotations

import json
import os
import time
from decimal import Decimal
from pathlib import Path

import pytest

from trade_pipeline.errors import GateClosed
from trade_pipeline.execution.control import (
    UNBOOKED_S_MAX,
    flatten_file,
    flatten_mark,
    flatten_runs,
    flattening,
    pause,
    paused,
    read_positions,
    record_positions,
    resume,
)
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import OrderState
from trade_pipeline.settings.home import Home
from trade_pipeline_tests.fakes import START, make_intent, make_request, make_trade, make_venue_order

DEAD_PID = 2**22 + 1
"""Above Linux's largest process id."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path)


def test_a_pause_says_why_until_it_is_lifted(home: Home) -> None:
    assert paused(home) is None
    pause(home, "looking at something", START)
    assert paused(home) == "looking at something"
    assert resume(home)
    assert paused(home) is None
    assert not resume(home)


def test_an_unreadable_pause_file_counts_as_a_pause(home: Home) -> None:
    home.control.mkdir()
    home.pause.write_text("{")
    assert paused(home) == "the pause file cannot be read"


def test_only_one_flatten_runs_and_its_mark_goes_with_it(home: Home) -> None:
    with flatten_mark(home, START):
        assert flattening(home)
        with pytest.raises(GateClosed), flatten_mark(home, START):
            raise AssertionError("two flattens run")
        with pytest.raises(GateClosed):
            resume(home)
    assert not flatten_runs(home)


def test_others_wait_after_a_flatten_until_its_sales_can_be_booked_but_not_forever(home: Home) -> None:
    with flatten_mark(home, START):
        pass
    assert flattening(home)
    long_ago_s = time.time() - UNBOOKED_S_MAX - 1
    os.utime(flatten_file(home), (long_ago_s, long_ago_s))
    assert not flattening(home)


def test_the_mark_of_a_flatten_that_was_killed_does_not_count(home: Home) -> None:
    home.control.mkdir()
    flatten_file(home).write_text(json.dumps({"pid": DEAD_PID, "at": START.isoformat()}))
    assert not flattening(home)
    with flatten_mark(home, START):
        assert json.loads(flatten_file(home).read_text())["pid"] == os.getpid()


def test_no_record_of_positions_is_none_and_a_broken_one_is_refused(home: Home) -> None:
    assert read_positions(home) is None
    home.control.mkdir()
    home.positions.write_text('{"account": "main", "positions": [{"symbol": "BTC/USDT"}]}')
    with pytest.raises(GateClosed, match="positions"):
        read_positions(home)


def test_a_record_without_trade_ids_only_names_symbols(home: Home) -> None:
    home.control.mkdir()
    row = {"symbol": "BTC/USDT", "amount": "1", "average_price": "5", "stop_price": "4"}
    home.positions.write_text(json.dumps({"account": "main", "positions": [row]}))
    record = read_positions(home)
    assert record is not None
    assert record.at is None
    assert not record.positions["BTC/USDT"].dated


def test_the_ledgers_positions_are_recorded_with_their_last_trade_and_live_orders(home: Home, ledger: Ledger) -> None:
    intent, request = make_intent(), make_request()
    ledger.plan_order(intent, request)
    lease = ledger.acquire_lease("main", "test", 30)
    ledger.mark_sent(request.client_order_id, lease, 0)
    ledger.apply_venue_order("main", make_venue_order(request, "17", OrderState.PARTIALLY_FILLED, "0.5"), "test")
    ledger.book_trades("main", [make_trade(8, "17", amount=Decimal("0.5"))], prefix="7c01")
    shown = {"BTC/USDT": {"stop_price": "95"}}
    assert record_positions(home, ledger, "main", START, shown)
    assert not record_positions(home, ledger, "main", START, shown)
    record = read_positions(home)
    assert record is not None
    assert record.at == START
    recorded = record.positions["BTC/USDT"]
    assert (recorded.amount, recorded.last_trade_id) == (Decimal("0.5"), "8")
    assert recorded.live_order_ids == {"17"}
    assert json.loads(home.positions.read_text())["positions"][0]["stop_price"] == "95"
