"""Processes share one window of weight, by the real file and real processes."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import Any

import pytest

from trade_pipeline.errors import Banned, BudgetSpent, RateLimited, VenueUnavailable
from trade_pipeline.venues.shared_budget import ACCOUNT_SHARE, MARKET_SHARE, SharedBudget, reading_history
from trade_pipeline_tests.venues.processes import sent_together


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def budget(folder: Path, clock: Clock, limit: float = 100) -> SharedBudget:
    return SharedBudget(folder / "budget", limit, clock=clock, sleep=clock.sleep)


def test_what_one_spends_another_has_not(tmp_path: Path) -> None:
    clock = Clock()
    one, two = budget(tmp_path, clock), budget(tmp_path, clock)
    one.line(1.0).acquire(60)
    assert two.used() == 60
    assert two.take(50, 1.0) > 0
    assert two.take(40, 1.0) == 0


def test_what_one_leaves_another_may_use(tmp_path: Path) -> None:
    """A split in halves would stop at 50."""
    clock = Clock()
    two = budget(tmp_path, clock)
    for _ in range(7):
        two.line(MARKET_SHARE).acquire(10)
    assert two.used() == 70


def test_it_comes_back_when_the_window_has_passed(tmp_path: Path) -> None:
    clock = Clock()
    shared = budget(tmp_path, clock)
    assert shared.take(100, 1.0) == 0
    clock.now += 59
    assert shared.take(1, 1.0) > 0
    clock.now += 2
    assert shared.take(100, 1.0) == 0


def test_never_more_than_the_limit_within_any_window(tmp_path: Path) -> None:
    clock = Clock()
    shared, sent = budget(tmp_path, clock), list[float]()
    while clock.now < 1_800_000_300.0:
        wait_s = shared.take(7, 1.0)
        if wait_s:
            clock.now += wait_s
        else:
            sent.append(clock.now)
            clock.now += 0.35
    most = max(sum(7 for at in sent if start <= at < start + 60) for start in sent)
    assert 90 < most <= 100


def test_history_leaves_room_for_the_account_and_the_account_for_orders(tmp_path: Path) -> None:
    shared = budget(tmp_path, Clock())
    market, account = shared.line(MARKET_SHARE), shared.line(ACCOUNT_SHARE)
    market.acquire(70)
    with pytest.raises(BudgetSpent):
        market.acquire(1)
    account.acquire(20)
    with pytest.raises(BudgetSpent):
        account.acquire(1)
    shared.spend(5)
    shared.spend(50)
    assert shared.used() == 145, "an order is counted, never held back"


def test_a_read_of_history_stands_back_and_leaves_room_for_the_bar_that_has_just_closed(tmp_path: Path) -> None:
    clock = Clock()
    shared = budget(tmp_path, clock)
    market = shared.line(MARKET_SHARE)
    with reading_history():
        market.acquire(49)
        began = clock.now
        market.acquire(1)
        assert clock.now - began > 50, "it waits for its turn, and is not refused"
    spent = shared.used()
    began = clock.now
    market.acquire(MARKET_SHARE * 100 - spent)
    assert clock.now == began


def test_what_is_no_history_is_asked_for_as_before(tmp_path: Path) -> None:
    shared = budget(tmp_path, Clock())
    with reading_history(False):
        shared.line(MARKET_SHARE).acquire(70)
    with reading_history():
        pass
    with pytest.raises(BudgetSpent):
        shared.line(MARKET_SHARE).acquire(1)


def test_a_wait_is_bounded(tmp_path: Path) -> None:
    clock = Clock()
    shared = budget(tmp_path, clock)
    shared.spend(100)
    clock.now += 57
    shared.line(1.0).acquire(10)
    assert 60 <= clock.now - 1_800_000_000 <= 62


def test_an_order_to_wait_is_heard_by_all_and_ends(tmp_path: Path) -> None:
    clock = Clock()
    one, two = budget(tmp_path, clock), budget(tmp_path, clock)
    one.note(VenueUnavailable("no answer"))
    one.note(BudgetSpent("ours", retry_after_s=30))
    two.check()
    one.note(RateLimited("429", retry_after_s=10))
    with pytest.raises(RateLimited) as refused:
        two.check()
    assert refused.value.retry_after_s == 10
    two.note(Banned("418", retry_after_s=100))
    with pytest.raises(Banned):
        one.check()
    clock.now += 101
    one.check()


def test_a_file_of_something_else_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "budget").write_bytes(b"something else")
    assert budget(tmp_path, Clock()).take(1, 1.0) == 0


def test_a_process_that_is_frozen_with_the_lock_holds_up_nobody(tmp_path: Path) -> None:
    held = (tmp_path / "budget").open("a+b")
    fcntl.flock(held, fcntl.LOCK_EX)
    shared = SharedBudget(tmp_path / "budget", 10)
    assert shared.take(8, 1.0) == 0, "it waits a moment for the lock, which is never given back"
    assert shared.take(8, 1.0) > 0, "it counts for itself"
    held.close()


def test_a_file_that_cannot_be_used_refuses_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shared = SharedBudget(tmp_path / "file" / "budget", 10)
    assert shared.take(8, 1.0) == 0
    assert shared.take(8, 1.0) > 0
    shared.check()


def _spend(path: str, seconds: float, told: Any) -> None:
    shared = SharedBudget(Path(path), 200, window_s=1.0)
    line, end, sent = shared.line(1.0), time.time() + seconds, list[float]()
    while time.time() < end:
        line.acquire(1)
        sent.append(time.time())
    told.put(sent)


def test_four_processes_together_stay_below_the_limit_and_use_it(tmp_path: Path) -> None:
    sent = sent_together(_spend, tmp_path / "b", 3.0, 4)
    most = max(sum(1 for at in sent[index:] if at < start + 1) for index, start in enumerate(sent))
    assert most <= 210, "the limit of one second; a process may be late to note what it was given"
    assert len(sent) > 300, "more than one process alone could have had of a static split"
