"""Exits need nobody but the guard: with everything else of a running stack standing still, a breach is sold at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal

import psutil
import pytest

from trade_pipeline.execution.rounding import is_dust
from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import PROTECTIVE, OrderState, Position, Role
from trade_pipeline_tests.readers import reading_hard
from trade_pipeline_tests.stack.running import RunningStack, awaited

pytestmark = pytest.mark.stack

LEFT_RUNNING = ("guard", "exchange", "postgres")
EXIT_S_MAX = 2.0
BREACH_RATIO = Decimal("0.1")
"""How far the entry becomes dearer: further than any stop is away."""


@contextmanager
def standing_still(stack: RunningStack) -> Iterator[list[str]]:
    """SIGSTOP of daemon, code servers, workers, broker and webservers with all their children; told by name."""
    others = {name: found for name, found in stack.processes().items() if not name.startswith(LEFT_RUNNING)}
    frozen = [process for found in others.values() for process in found]
    try:
        for process in frozen:
            with suppress(psutil.Error):
                process.suspend()
        yield sorted(others)
    finally:
        for process in frozen:
            with suppress(psutil.Error):
                process.resume()


def test_from_breach_to_acknowledged_exit_it_takes_less_than_two_seconds_while_all_others_stand_still(
    stack: RunningStack, record_property: Callable[[str, object], None]
) -> None:
    """TRADING 16, with the reads loaded."""
    held = awaited(lambda: _protected(stack), 60, "a position whose stop rests", stack)
    _await_quiet_half_of_a_minute()
    ledger = stack.ledger()
    try:
        with standing_still(stack) as names, reading_hard(stack.stack_file()["exchange_url"]) as answers:
            assert {"daemon", "code_server", "worker_decide", "worker_execute"} <= set(names)
            read_before = sum(answers)
            # The entry becomes dearer by less than a step of coins: the market stays, its stop is breached.
            amount = Decimal("0.00000001")
            price = held.cost_quote * BREACH_RATIO / amount
            breached_at = datetime.now(UTC)
            ledger.adopt("main", held.symbol, amount, price, breached_at, "a breach for a test")

            def sale() -> Order | None:
                orders = ledger.orders("main", breached_at)
                exits = (order for order in orders if order.symbol == held.symbol and order.role is Role.EXIT)
                return next((order for order in exits if order.acknowledged_at is not None), None)

            sold = awaited(sale, 20, "the exit is acknowledged", stack, poll_s=0.05)
            assert sum(answers) > read_before, "nobody read meanwhile"
        assert sold.acknowledged_at is not None
        took_s = (sold.acknowledged_at - breached_at).total_seconds()
        record_property("breach_to_acknowledged_exit_s", took_s)
        print(f"breach to acknowledged exit: {took_s:.2f} s")
        assert took_s < EXIT_S_MAX
        assert sold.filled > 0 or sold.state is OrderState.OPEN
    finally:
        ledger.close()


def _protected(stack: RunningStack) -> Position | None:
    """A position worth selling whose stop rests."""
    venue = stack.venue()
    try:
        rules = venue.markets()
    finally:
        venue.close()
    live = stack.ask(lambda ledger: ledger.live_orders("main"))
    stops = {order.symbol for order in live if order.role in PROTECTIVE and order.state is OrderState.OPEN}
    for position in stack.ask(lambda ledger: ledger.positions("main")):
        price = position.average_price or Decimal(0)
        if position.symbol in stops and not is_dust(position.amount, price, rules[position.symbol]):
            return position
    return None


def _await_quiet_half_of_a_minute() -> None:
    """Runs begin at the full minute. One that is frozen with the account's lease in its hands is another test."""
    while not 20 <= datetime.now(UTC).second <= 45:
        time.sleep(0.5)
