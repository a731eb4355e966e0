"""A run dies at every boundary between an error of the exchange and the count of its recovery, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from trade_pipeline.faults.kinds import Crash, Fault, Injection
from trade_pipeline.faults.scenario import make_scenario
from trade_pipeline.faults.stage import Stage

SEEDS = (0, 4)
"""Whose first decision buys."""
METHODS = ("mark_rejected", "set_breaker", "record_event", "count_recovery")


@pytest.fixture
def stage(ledger_url: str) -> Iterator[Stage]:
    made = Stage.at(ledger_url)
    yield made
    made.close()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_a_death_after_a_ban_leaves_nothing_open_but_the_breaker(stage: Stage, method: str, when: str) -> None:
    crash = Crash(f"execute|{method}:{when}", 1)
    for seed in SEEDS:
        banned = replace(make_scenario(seed), injections=(Injection(Fault.BANNED, "create", 1),), crashes=(crash,))
        played = stage.play(banned)
        assert played.violations == ()
        assert played.hits[f"crash at {crash.point}"] == 1, "it never came there"
        opened = any("circuit breaker" in line or "breaker * OPEN" in line for line in played.trace)
        # Who dies before the order's end is written has told nobody: then the order is looked up, and was never there.
        assert opened == ((method, when) != ("mark_rejected", "before_commit"))


@pytest.mark.parametrize("fault", [Fault.MAINTENANCE, Fault.RATE_LIMITED, Fault.CLOCK_SKEW])
def test_an_exchange_that_stays_away_for_longer_than_is_tried_ends_with_nothing_lost(
    stage: Stage, fault: Fault
) -> None:
    away = tuple(Injection(fault, "create", nth) for nth in range(1, 7))
    for seed in SEEDS:
        played = stage.play(replace(make_scenario(seed), injections=away, crashes=()))
        assert played.violations == ()
        assert played.hits[fault] >= 3
