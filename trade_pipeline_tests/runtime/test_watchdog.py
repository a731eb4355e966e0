"""What has gone quiet is started anew within two bars, the cause and not what follows from it, and rarely in vain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from trade_pipeline.runtime.watchdog import (
    BARS,
    CANDLES,
    DECISIONS,
    SENSORS,
    STARTING_S,
    TICKS,
    Alarm,
    Watchdog,
    signs_of,
)
from trade_pipeline.settings.watchdog import WatchdogSettings

NOON = datetime(2024, 5, 2, 12, 0, tzinfo=UTC)
LIMITS = WatchdogSettings()
PROCESSES = (
    *("postgres", "redis", "exchange", "guard", "code_server", "code_server_research"),
    *("worker_decide", "worker_execute", "worker_history", "webserver", "daemon"),
)
TWO_BARS_S = 120

FOLLOWS: Mapping[str, tuple[str, ...]] = {
    # Which signs stop when a process stands still: its own, and those of all that wait for it.
    "daemon": (TICKS, SENSORS, BARS, DECISIONS),
    "code_server": ("code_server", TICKS, SENSORS, BARS, DECISIONS),
    "worker_decide": ("worker_decide", BARS, DECISIONS),
    "exchange": ("exchange", "guard", CANDLES, BARS, DECISIONS),
    "redis": ("redis", "worker_decide", "worker_execute", "worker_history", BARS, DECISIONS),
}


class Played:
    """A stack of which some processes stand still from a moment on; a restart heals them if it may."""

    def __init__(self, *, heals: bool = True) -> None:
        self.signs = signs_of(PROCESSES, LIMITS, simulated=True)
        self.dog = Watchdog(self.signs, LIMITS, NOON)
        self.still: set[str] = set()
        self.heals = heals

    def run(self, begin_s: int, end_s: int) -> list[tuple[int, Alarm]]:
        found = []
        for second in range(begin_s, end_s, int(LIMITS.look_every_s)):
            now = NOON + timedelta(seconds=second)
            for alarm in self.dog.look(self._seen(now), now):
                found.append((second, alarm))
                if self.heals and alarm.process in self.still:
                    self.still.discard(alarm.process)
        return found

    def _seen(self, now: datetime) -> dict[str, datetime]:
        silent = {name for process in self.still for name in FOLLOWS.get(process, (process,))}
        minute = now.replace(second=0)
        moments = {TICKS: minute, BARS: minute, DECISIONS: minute, SENSORS: now - timedelta(seconds=20)}
        return {sign.name: moments.get(sign.name, now) for sign in self.signs if sign.name not in silent}


def test_a_stack_that_works_is_left_alone() -> None:
    assert Played().run(0, 7200) == []


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_that_stands_still_is_restarted_within_two_bars_and_no_other(process: str) -> None:
    for second in range(600, 660, 7):
        stack = Played()
        assert stack.run(0, second) == []
        stack.still = {process}
        found = stack.run(second, second + 900)
        assert [alarm.process for _, alarm in found] == [process], found
        assert found[0][0] - second <= TWO_BARS_S


def test_a_run_that_hangs_in_a_worker_that_answers_shows_by_missing_bars() -> None:
    stack = Played()
    stack.run(0, 600)
    missing = watch(stack, lambda name: name in (BARS, DECISIONS), 600, 900)
    assert [(alarm.sign, alarm.process) for alarm in missing] == [(BARS, "worker_decide")]


def test_nothing_decided_is_told_and_restarts_nobody() -> None:
    stack = Played()
    stack.run(0, 600)
    (late,) = watch(stack, lambda name: name == DECISIONS, 600, 1100)
    assert late.process is None
    assert "nothing was decided" in str(late)


def watch(stack: Played, missing: Callable[[str], bool], begin_s: int, end_s: int) -> list[Alarm]:
    """What is said while some signs are missing and everything else comes."""
    found = []
    for second in range(begin_s, end_s, 5):
        now = NOON + timedelta(seconds=second)
        seen = {sign.name: now for sign in stack.signs if not missing(sign.name)}
        found += stack.dog.look(seen, now)
    return found


def test_a_restart_that_does_not_help_is_repeated_ever_more_rarely() -> None:
    stack = Played(heals=False)
    stack.run(0, 600)
    stack.still = {"webserver"}
    moments = [second for second, _ in stack.run(600, 6000)]
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert pauses == sorted(pauses)
    assert pauses[0] >= 2 * LIMITS.answer_age_s_max
    assert pauses[-1] <= LIMITS.backoff_max * LIMITS.answer_age_s_max + STARTING_S + LIMITS.look_every_s


def test_one_that_answers_again_has_its_whole_limit_again() -> None:
    stack = Played()
    stack.run(0, 600)
    for begin in (600, 1200):
        stack.still = {"webserver"}
        ((second, _),) = stack.run(begin, begin + 600)
        assert second - begin <= LIMITS.answer_age_s_max + LIMITS.look_every_s


def test_a_machine_that_slept_finds_nothing_late_when_it_wakes() -> None:
    stack = Played()
    stack.run(0, 600)
    hours = 600 + 8 * 3600
    now = NOON + timedelta(seconds=hours)
    assert stack.dog.look({}, now) == []
    assert stack.run(hours + 5, hours + 600) == []


def test_a_process_that_was_never_seen_has_its_whole_limit_from_the_start_on() -> None:
    stack = Played()
    stack.still = {"daemon"}
    first = next(second for second, _ in stack.run(0, 300))
    assert LIMITS.sensor_age_s_max < first <= TWO_BARS_S


def test_a_stack_without_exchange_and_servers_of_its_own_owes_less() -> None:
    def names(processes: Collection[str], simulated: bool) -> set[str]:
        return {sign.name for sign in signs_of(processes, LIMITS, simulated=simulated)}

    live = [name for name in PROCESSES if name not in ("exchange", "postgres", "redis")]
    assert names(PROCESSES, True) - names(live, False) == {"exchange", "postgres", "redis", CANDLES}
