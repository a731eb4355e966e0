"""A status is read whatever is down, shown in a terminal and as one line, and told as JSON."""

from __future__ import annotations

import io
import json
import os
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from trade_pipeline.observe.live import View
from trade_pipeline.observe.render import line, panel
from trade_pipeline.observe.status import StatusReader, as_json
from trade_pipeline.observe.values import (
    FailedCheck,
    HeldPosition,
    LastDecision,
    LockLine,
    Money,
    OpenOrder,
    ProcessLine,
    Status,
)
from trade_pipeline.runtime.stack_file import StackFile, read_stack_file, write_stack_file
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings

AT = datetime(2024, 5, 2, 12, 0, 17, tzinfo=UTC)
CLOSE = AT.replace(second=0)
FULL = Status(
    at=AT,
    mode="sim",
    account="main",
    home="/h",
    running=True,
    started_at=AT - timedelta(hours=1),
    ui_url="http://127.0.0.1:3000",
    next_bar_at=AT.replace(second=0) + timedelta(minutes=1),
    paused="a look",
    decision=LastDecision("d" * 32, CLOSE, 1.25, 2.5, 1, "execute: 1 orders sent"),
    money=Money(Decimal(10_000), Decimal("-3.5"), Decimal("12.25"), Decimal(6), Decimal("0.015"), AT),
    positions=(
        HeldPosition(
            *("BTC/USDT", Decimal("0.5"), Decimal(100), Decimal(110), Decimal(5), Decimal(90), "trend"),
            target=Decimal(125),
            rests="profit",
        ),
        HeldPosition("ETH/USDT", Decimal(2), Decimal(100), None, None, None, "trend"),
    ),
    open_orders=(
        OpenOrder("7c01", "BTC/USDT", "sell", "protect", "OPEN", Decimal("0.5"), Decimal(0), None, Decimal(90), 61.0),
    ),
    locks=(LockLine("trend", "ADA/USDT", "stopped out", None),),
    failed_checks=(FailedCheck("raw_bars", "non_positive_price", AT, "1 of 20 rows has a price below 0"),),
    alerts=("11:59:00 critical drift",),
    processes=(
        ProcessLine("daemon", "BACKOFF", 0, 2, 0.0),
        ProcessLine("guard", "RUNNING", 7, 0, 60.0, "guard", 85.0, 90.0),
        ProcessLine("exchange", "RUNNING", 8, 0, 60.0, "exchange", 5.0, 45.0),
    ),
    lost_ticks=(AT.replace(minute=1, second=0),),
    unavailable=("exchange",),
)


STOPPED = replace(
    FULL,
    running=False,
    paused=None,
    decision=None,
    money=None,
    processes=(),
    open_orders=(),
    positions=(
        HeldPosition("BTC/USDT", Decimal("0.5"), None, None, None, None, "", rests="order"),
        HeldPosition("ETH/USDT", Decimal(2), None, None, None, None, "", rests="unknown"),
    ),
    unavailable=("supervisor", "exchange", "database"),
    last_log_at=AT - timedelta(minutes=3),
)


def _shown(status: Status, width: int = 160, rows_max: int | None = None) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(panel(status, rows_max=rows_max))
    text = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above
    assert isinstance(text, str)
    return text


def test_everything_that_a_person_looks_for_is_shown() -> None:
    text = _shown(FULL)
    for part in (
        *("SIM", "http://127.0.0.1:3000", "in 43 s", "PAUSED: a look", "1.2 s after the close", "10,000.00"),
        *("-3.50", "+12.25", "1.50%", "BTC/USDT", "none", "61 s", "stopped out", "below 0", "drift"),
        *("125 rests", "quiet: guard (guard, limit 90 s)"),
        *("process daemon is BACKOFF", "restarts: daemon 2", "lost ticks: 1 (12:01)", "does not answer: exchange"),
    ):
        assert part in text, part
    assert "quiet: exchange" not in text


def test_a_stack_that_has_done_nothing_yet_is_shown_too() -> None:
    bare = Status(AT, "sim", "main", "/h", False, None, None, AT, None)
    text = _shown(bare)
    assert "No decision yet" in text
    assert "STOPPED" in text
    assert "next full minute" not in text
    assert line(bare)
    assert "next full minute" in _shown(replace(bare, running=True))


def test_of_a_stopped_stack_nothing_is_said_that_is_not_known() -> None:
    text = _shown(STOPPED)
    for part in (
        *("STOPPED, last log line 2024-05-02 11:57:17 UTC", "next: `trade-pipeline up` starts it"),
        "Not known: last decision, equity, open orders, locks and breakers; the database does not answer while",
        *("their stops are not known", "Orders of ours rested on the exchange then for BTC/USDT."),
    ):
        assert part in text, part
    for part in ("none", "No decision", "next bar", "Equity is", "http://"):
        assert part not in text, part
    assert "open orders ?" in line(STOPPED)


def test_a_stack_whose_up_was_killed_is_not_stopped() -> None:
    text = _shown(replace(FULL, running=False))
    assert "ITS up WAS KILLED" in text
    assert "STOPPED" not in text


@pytest.mark.parametrize("width", [70, 80, 200])
def test_no_symbol_and_no_amount_is_cut_and_empty_columns_are_left_out(width: int) -> None:
    held = HeldPosition(
        *("1000SATS/USDT", Decimal("123456789.50"), Decimal("0.00001234"), Decimal("0.00001235"), Decimal("-1234.5")),
        *(Decimal("0.00001111"), "mean_reversion"),
    )
    lines = [text.strip("│ ") for text in _shown(replace(FULL, positions=(held,)), width).splitlines()]
    first = next(place for place, text in enumerate(lines) if text.startswith("position"))
    last = next(place for place, text in enumerate(lines) if text.startswith("open order"))
    names = lines[first].split()
    assert names == ["position", "amount", "entry", "mark", "profit", "stop", "strategy"]
    starts = [lines[first].index(name) for name in names] + [width]
    cells = ["".join(text[a:b].strip() for text in lines[first + 1 : last]) for a, b in pairwise(starts)]
    assert cells == [
        *("1000SATS/USDT", "123456789.5", "0.00001234", "0.00001235", "-1,234.50", "0.00001111", "mean_reversion")
    ]


def test_a_view_that_refreshes_says_how_many_rows_it_leaves_out() -> None:
    text = _shown(replace(FULL, positions=FULL.positions * 8, open_orders=FULL.open_orders * 15), rows_max=12)
    assert "and 4 more" in text
    assert "and 3 more" in text


def test_without_a_terminal_a_line_is_printed_per_change() -> None:
    console = Console(file=io.StringIO(), width=400, force_terminal=False)
    with View(console) as view:
        view.note("starting")
        view.show(FULL)
        view.show(replace(FULL, at=AT + timedelta(seconds=1)))
        view.show(replace(FULL, paused=None))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]  # it is the StringIO above
    assert [text.split()[0] for text in lines] == ["starting", "12:00:17", "12:00:17"]


def test_json_keeps_decimals_exact_and_times_zoned() -> None:
    tree = json.loads(as_json(FULL))
    assert tree["money"]["profit_total_quote"] == "12.25"
    assert tree["lost_ticks"] == ["2024-05-02T12:01:00+00:00"]
    assert tree["positions"][1]["mark"] is None


def test_a_status_is_read_with_every_part_down(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    home.control.mkdir()
    rows = [{"symbol": "BTC/USDT", "amount": "0.5", "live_order_ids": ["7"]}, {"symbol": "ETH/USDT", "amount": "2"}]
    home.positions.write_text(json.dumps({"account": "main", "positions": rows}))
    home.logs.mkdir()
    (home.logs / "guard.log").touch()
    os.utime(home.logs / "guard.log", (AT.timestamp(), AT.timestamp()))
    home.pause.write_text('{"reason": "a look"}')
    environ = {"TRADE_PIPELINE_LEDGER_URL": f"postgresql+psycopg2://a:b@/x?host={tmp_path}"}
    with closing(StatusReader(home, Settings(), environ)) as reader:
        found = reader.read(AT)
    assert set(found.unavailable) == {"supervisor", "exchange", "database"}
    assert [(held.symbol, held.amount, held.rests) for held in found.positions] == [
        ("BTC/USDT", Decimal("0.5"), "order"),
        ("ETH/USDT", Decimal(2), "unknown"),
    ]
    assert found.stopped
    assert found.last_log_at == AT
    assert found.paused == "a look"
    assert not found.running


def test_a_status_is_read_from_a_ledger(tmp_path: Path, ledger_url: str) -> None:
    with closing(StatusReader(Home.at(tmp_path), Settings(), {"TRADE_PIPELINE_LEDGER_URL": ledger_url})) as reader:
        found = reader.read(AT)
    assert "database" not in found.unavailable
    assert found.failed_checks == ()


def test_what_a_stack_says_of_itself_comes_back(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    assert read_stack_file(home) is None
    stack = StackFile(7, AT, "sim", "http://127.0.0.1:1", "http://127.0.0.1:2", ("a", "b"))
    write_stack_file(home, stack)
    assert read_stack_file(home) == stack
    home.stack.write_text("{")
    assert read_stack_file(home) is None


@pytest.mark.parametrize("running", [True, False])
def test_one_line_names_troubles(running: bool) -> None:
    assert "lost ticks: 1" in line(replace(FULL, running=running))
