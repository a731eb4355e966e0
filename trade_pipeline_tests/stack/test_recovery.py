"""kill -9 of the stack's processes while it trades: it goes on by itself, and no order is lost or doubled.

TRADE_PIPELINE_KILL=all kills every process, one after the other; by default the ones that differ most.
"""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime

import psutil
import pytest

from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline_tests.stack.running import EXCHANGE_POLL_S, RunningStack, awaited

pytestmark = pytest.mark.stack

ALL = (
    "worker_decide",
    "worker_execute",
    "worker_history",
    "guard",
    "exchange",
    "code_server",
    "daemon",
    "webserver",
    "redis",
    "postgres",
)
KILLED = ALL if os.environ.get("TRADE_PIPELINE_KILL") == "all" else ("worker_execute", "exchange", "postgres")


@pytest.mark.parametrize("name", KILLED)
def test_a_killed_process_comes_back_and_trading_goes_on(stack: RunningStack, name: str) -> None:
    before = stack.pids()[name]
    _wait_for_the_middle_of_a_minute()
    os.kill(before, signal.SIGKILL)
    killed_at = datetime.now(UTC)
    awaited(lambda: stack.pids().get(name) not in {None, before} or None, 60, f"{name} runs again", stack)
    awaited(lambda: stack.executed_after(killed_at) or None, 150, f"a decision after {name} was killed", stack)
    awaited(stack.ledger_equals_exchange, 60, "ledger and exchange agree", stack, EXCHANGE_POLL_S)
    assert stack.ask(_orders_per_intent_max) <= 1
    assert psutil.pid_exists(stack.process.pid)


def _wait_for_the_middle_of_a_minute() -> None:
    """So that the kill meets a stack that has just traded, and the next bar is near."""
    while not 20 <= datetime.now(UTC).second < 50:
        time.sleep(0.2)


def _orders_per_intent_max(ledger: Ledger) -> int:
    counts: dict[str, int] = {}
    for order in ledger.orders("main"):
        counts[order.intent_id] = counts.get(order.intent_id, 0) + 1
    return max(counts.values(), default=0)
