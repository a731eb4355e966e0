"""Orders leave in a burst, never more than the exchange allows in any window, and exits have a part of their own."""

from __future__ import annotations

import fcntl
import struct
import time
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from trade_pipeline.errors import BudgetSpent
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.recovery import RecoverySettings
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues import locked_page
from trade_pipeline.venues.capabilities import CAPABILITIES, OrderLimit
from trade_pipeline.venues.factory import order_budget_of
from trade_pipeline.venues.order_budget import OrderBudget
from trade_pipeline_tests.venues.processes import sent_together

LIMITS = [
    OrderLimit(100, 10.0),
    OrderLimit(50, 10.0),
    OrderLimit(5, 1.0),
    OrderLimit(3, 1.0),
    OrderLimit(2, 1.0),
    OrderLimit(1, 1.0),
    *{known.order_limit for known in CAPABILITIES.values()},
]


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now_s = 5_000.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def made(limit: OrderLimit, clock: Clock, path: Path | None = None, **shares: float) -> OrderBudget:
    return OrderBudget(limit, path, clock=clock, sleep=clock.sleep, **shares)


def most_in_any(window_s: float, sent: Sequence[float]) -> int:
    """Of moments in their order; a window holds its beginning and not its end."""
    return max(sum(1 for other in sent if at <= other < at + window_s - 1e-5) for at in sent)


@pytest.mark.parametrize("increases", [False, True])
@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_no_window_holds_more_than_the_exchange_allows(limit: OrderLimit, increases: bool) -> None:
    clock = Clock()
    budget, sent = made(limit, clock), list[float]()
    for number in range(int(limit.orders) * 5):
        budget.acquire(1, increases=increases)
        sent.append(clock.now_s)
        if number % 7 == 6:
            clock.sleep(limit.window_s / 9)
    assert most_in_any(limit.window_s, sent) <= limit.orders
    clock.sleep(limit.window_s * 3)
    assert budget.take(1, increases=increases) == 0


@pytest.mark.parametrize("limit", [OrderLimit(100, 10.0), OrderLimit(50, 10.0)], ids=str)
def test_a_burst_that_is_late_by_a_twentieth_of_the_window_does_not_exceed_it_with_what_follows(
    limit: OrderLimit,
) -> None:
    clock = Clock()
    budget, arrived = made(limit, clock), list[float]()
    for _ in range(int(limit.orders) * 5):
        budget.acquire(1, increases=False)
        in_the_burst = clock.now_s == 5_000.0
        arrived.append(clock.now_s + (limit.window_s / 20 if in_the_burst else 0.0))
    assert most_in_any(limit.window_s, sorted(arrived)) <= limit.orders


def test_what_a_process_counted_while_the_page_was_held_is_not_forgotten(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "orders"
    budget = made(OrderLimit(50, 10.0), clock, path)
    sent = int(budget.take(1, increases=False) == 0)
    with path.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        while budget.take(1, increases=False) == 0:
            sent += 1
    assert sent == budget.burst
    assert budget.take(1, increases=False) > 0, "with the page back"


def test_a_page_that_holds_no_number_counts_as_a_burst_that_is_spent(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "orders"
    made(OrderLimit(50, 10.0), clock, path).take(1, increases=False)
    path.write_bytes(path.read_bytes()[:8] + struct.pack("<d", float("nan")))
    budget, sent = made(OrderLimit(50, 10.0), clock, path), list[float]()
    for _ in range(100):
        budget.acquire(1, increases=False)
        sent.append(clock.now_s)
    assert most_in_any(10.0, sent) <= 50


@pytest.mark.parametrize("limit", [OrderLimit(100, 10.0), OrderLimit(50, 10.0)], ids=str)
def test_a_burst_of_twenty_entries_does_not_wait(limit: OrderLimit) -> None:
    clock = Clock()
    budget = made(limit, clock)
    for _ in range(20):
        budget.acquire(1, increases=True)
    assert clock.now_s == 5_000.0


def test_what_follows_a_burst_leaves_evenly_and_never_waits_long() -> None:
    clock = Clock()
    budget, sent = made(OrderLimit(100, 10.0), clock), list[float]()
    for _ in range(300):
        budget.acquire(1, increases=True)
        sent.append(clock.now_s)
    pauses = [after - before for before, after in pairwise(sent)]
    assert max(pauses) == pytest.approx(10.5 / 41)
    assert sent[-1] - sent[0] < 68


def test_entries_leave_a_part_of_the_burst_to_exits() -> None:
    clock = Clock()
    budget = made(OrderLimit(100, 10.0), clock, entry_share_max=0.7)
    entries = 0
    while budget.take(1, increases=True) == 0:
        entries += 1
    exits = 0
    while budget.take(1, increases=False) == 0:
        exits += 1
    assert (entries, exits) == (42, 18)


def test_entries_that_keep_coming_never_hold_an_exit_back() -> None:
    clock = Clock()
    budget = made(OrderLimit(50, 10.0), clock)
    for _ in range(200):
        budget.acquire(1, increases=True)
        assert budget.burst - budget.entries >= 9
    for _ in range(9):
        assert budget.take(1, increases=False) == 0


def test_exits_that_have_used_their_part_hold_entries_back_until_it_is_there_again() -> None:
    clock = Clock()
    budget = made(OrderLimit(100, 10.0), clock)
    for _ in range(60):
        budget.acquire(1, increases=False)
    assert clock.now_s == 5_000.0
    with pytest.raises(BudgetSpent, match="nothing was sent") as refused:
        budget.acquire(1, increases=True)
    assert refused.value.retry_after_s > 4
    budget.acquire(1, increases=False)
    assert clock.now_s - 5_000.0 == pytest.approx(budget.step_s)


def test_our_own_budget_never_opens_the_circuit_breaker() -> None:
    """An exchange that keeps refusing does; a burst of our own is over in seconds."""
    name, rule = RecoverySettings().rule_for(BudgetSpent("used up"))
    assert (name, rule.action, rule.then) == ("BudgetSpent", "retry", "skip")


def test_a_pair_counts_as_two_orders() -> None:
    budget = made(OrderLimit(100, 10.0), Clock())
    for _ in range(30):
        assert budget.take(2, increases=False) == 0
    assert budget.take(1, increases=False) > 0


def test_a_pair_leaves_where_one_order_is_the_whole_burst() -> None:
    clock = Clock()
    budget = made(OrderLimit(1, 1.0), clock)
    assert budget.take(2, increases=False) == 0
    assert budget.take(1, increases=False) > 0
    clock.sleep(2.0 * budget.step_s)
    assert budget.take(1, increases=False) == 0


@pytest.mark.parametrize(("share", "most", "window_s"), [(0.5, 50, 10.0), (0.05, 5, 10.0), (0.005, 1, 20.0)])
def test_a_share_of_the_limit_is_left_to_others_on_the_account(share: float, most: int, window_s: float) -> None:
    clock = Clock()
    budget, sent = made(OrderLimit(100, 10.0), clock, share_max=share), list[float]()
    while len(sent) < most * 4:
        clock.sleep(budget.take(1, increases=False))
        if budget.take(1, increases=False) == 0:
            sent.append(clock.now_s)
    assert most_in_any(window_s, sent) <= most


def test_what_the_exchange_says_of_its_limit_replaces_what_was_assumed() -> None:
    budget = made(OrderLimit(50, 10.0), Clock())
    budget.set_limit(OrderLimit(100, 10.0))
    assert (budget.burst, budget.entries) == (60, 42)


def test_what_one_process_sends_another_may_not(tmp_path: Path) -> None:
    clock = Clock()
    one, two = (made(OrderLimit(5, 1.0), clock, tmp_path / "orders") for _ in range(2))
    assert [one.take(1, increases=False) for _ in range(2)] == [0, 0]
    assert two.take(1, increases=False) == 0
    assert two.take(1, increases=False) > 0
    assert one.take(1, increases=False) > 0


def test_a_moment_from_before_the_machines_restart_is_one_burst_at_most(tmp_path: Path) -> None:
    clock = Clock()
    clock.now_s = 1e9
    for _ in range(60):
        made(OrderLimit(100, 10.0), clock, tmp_path / "orders").take(1, increases=False)
    clock.now_s = 7.0
    after = made(OrderLimit(100, 10.0), clock, tmp_path / "orders")
    assert after.take(1, increases=False) > 0
    clock.sleep(2 * after.step_s)
    assert after.take(1, increases=False) == 0


def test_the_factory_gives_every_process_of_a_home_the_same_file_and_the_settings(tmp_path: Path) -> None:
    shares = {"order_share_max": 0.5, "entry_burst_share_max": 0.2}
    settings = Settings.model_validate({"execution": shares})
    home = Home.at(tmp_path)
    one, two = (order_budget_of(settings, home.budgets, "binance", "http://127.0.0.1:5") for _ in range(2))
    assert (one.burst, one.entries) == (15, 3)
    while one.take(1, increases=False) == 0:
        pass
    assert two.take(1, increases=False) > 0
    assert [path.name for path in home.budgets.iterdir()] == ["binance-127.0.0.1-5-orders.budget"]


def _sell(path: str, seconds: float, told: Any) -> None:
    # A busy machine may take a lock's holder off the processor for longer than an exit would wait for it.
    locked_page.LOCK_S_MAX = 5.0
    budget = OrderBudget(OrderLimit(50, 1.0), Path(path))
    end, sent = time.monotonic() + seconds, list[float]()
    while time.monotonic() < end:
        try:
            budget.acquire(1, increases=False)
        except BudgetSpent:
            continue
        sent.append(time.monotonic())
    told.put(sent)


def test_three_processes_together_stay_below_the_limit_and_use_it(tmp_path: Path) -> None:
    sent = sent_together(_sell, tmp_path / "b", 2.0, 3)
    assert most_in_any(1.0, sent) <= 53, "the limit of one second; a process may be late to note what it was given"
    assert len(sent) > 50, "a burst, and what followed it"


def test_an_amount_of_time_is_never_refused_for_what_is_there() -> None:
    """Rounding of moments far from the machine's start must not take an order of the burst away."""
    clock = Clock()
    clock.now_s = 3e8 + float(Decimal("0.1"))
    budget = made(OrderLimit(100, 10.0), clock)
    assert [budget.take(1, increases=False) for _ in range(60)] == [0] * 60
