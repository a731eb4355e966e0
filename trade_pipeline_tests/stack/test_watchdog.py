"""Processes of a running stack that stand still, though they live, are started anew within two bars.

Two of them here. TRADE_PIPELINE_WATCHDOG_ALL=1 freezes every one, which takes a quarter of an hour.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from trade_pipeline.ledger.records import Event
from trade_pipeline.runtime.supervise import Supervisor
from trade_pipeline.runtime.watching import RESTARTED
from trade_pipeline_tests.stack.running import RunningStack, awaited

pytestmark = pytest.mark.stack

TWO_BARS_S = 120.0
ROUNDS: Sequence[tuple[str, ...]] = [("webserver", "daemon")]
if os.environ.get("TRADE_PIPELINE_WATCHDOG_ALL"):
    ROUNDS = [
        *ROUNDS,
        ("code_server", "code_server_research"),
        ("worker_decide",),
        ("exchange",),
        ("worker_execute", "worker_history"),
        ("guard",),
        ("redis",),
        ("postgres",),
    ]


@pytest.mark.parametrize("names", ROUNDS, ids="+".join)
def test_what_stands_still_is_restarted_within_two_bars_and_said(stack: RunningStack, names: tuple[str, ...]) -> None:
    before = {name: state.process_id for name, state in Supervisor(stack.home).states().items()}
    frozen_at = datetime.now(UTC)
    for name in names:
        os.kill(before[name], signal.SIGSTOP)

    def all_new() -> bool:
        states = Supervisor(stack.home).states()
        return all(states[name].alive and states[name].process_id != before[name] for name in names)

    # The event is written after the restart, and a frozen database must come back first.
    awaited(all_new, TWO_BARS_S + 40, f"{names} as new processes", stack)
    said = {name: _awaited_event(stack, name, frozen_at) for name in names}
    for name, event in said.items():
        took_s = (event.at - frozen_at).total_seconds()
        print(f"{name}: {event.detail['sign']} missed after {took_s:.0f} s")
        assert took_s <= TWO_BARS_S, event
    assert stack.command("status").returncode == 0
    others = {event.detail["process"] for event in _events(stack, frozen_at)}
    assert others <= set(names), "what only follows from it is left alone"
    now = datetime.now(UTC)
    awaited(lambda: stack.executed_after(now), 240, "a decision executed afterwards", stack)


def _events(stack: RunningStack, since: datetime) -> list[Event]:
    return stack.ask(lambda ledger: ledger.events("main", since=since, kinds=(RESTARTED,)))


def _awaited_event(stack: RunningStack, name: str, since: datetime) -> Event:
    def found() -> Event | None:
        return next((event for event in _events(stack, since) if event.detail["process"] == name), None)

    return awaited(found, 40, f"an event of {name}", stack)
