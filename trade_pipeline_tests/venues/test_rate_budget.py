"""Budgets hold within any window, and waiting has an end."""

from __future__ import annotations

import pytest

from trade_pipeline.errors import Banned, RateLimited
from trade_pipeline.venues.rate_budget import Cooldown, RollingWindow, per_second


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_no_window_holds_more_than_the_limit() -> None:
    clock = Clock()
    budget = RollingWindow(5, 1.0, clock=clock, sleep=clock.sleep)
    sent = []
    for _ in range(20):
        budget.acquire()
        sent.append(clock.now_s)
    assert all(sum(1 for other in sent if at <= other < at + 1.0) <= 5 for at in sent)
    assert clock.now_s == pytest.approx(3.0)


def test_a_wait_that_would_be_too_long_is_refused_instead() -> None:
    clock = Clock()
    budget = RollingWindow(10, 60.0, clock=clock, sleep=clock.sleep)
    budget.acquire(10)
    with pytest.raises(RateLimited) as caught:
        budget.acquire(1)
    assert caught.value.retry_after_s == pytest.approx(60.0)


def test_a_rate_below_one_a_second_stretches_the_window() -> None:
    budget = per_second(0.5)
    assert (budget.limit, budget.window_s) == (1.0, 2.0)


def test_the_exchanges_order_to_wait_stands_until_its_time_has_passed() -> None:
    clock = Clock()
    cooldown = Cooldown(clock)
    cooldown.check()
    cooldown.note(RateLimited("slow", retry_after_s=2))
    with pytest.raises(RateLimited):
        cooldown.check()
    cooldown.note(Banned("stop", retry_after_s=60))
    clock.sleep(59)
    with pytest.raises(Banned):
        cooldown.check()
    clock.sleep(2)
    cooldown.check()
