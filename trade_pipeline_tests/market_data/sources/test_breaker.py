"""A failing source is left alone, and comes back by a few probes."""

from __future__ import annotations

from trade_pipeline.market_data.sources.breaker import BreakerPhase, SourceBreaker
from trade_pipeline.settings.sources import SourceSettings

SETTINGS = SourceSettings(
    breaker_window_s=60, breaker_requests_min=10, breaker_failure_ratio=0.5, breaker_open_s=15, breaker_probes=3
)


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def some(first: int, count: int) -> list[str]:
    return [f"S{number:02}/USDT" for number in range(first, first + count)]


def test_few_requests_say_nothing() -> None:
    breaker = SourceBreaker(SETTINGS, Seconds())
    assert breaker.record((), some(0, 9)) is BreakerPhase.CLOSED
    assert breaker.record((), some(9, 1)) is BreakerPhase.OPEN


def test_a_small_share_of_failures_leaves_it_closed() -> None:
    breaker = SourceBreaker(SETTINGS, Seconds())
    for _ in range(100):
        assert breaker.record(some(0, 19), some(19, 1)) is BreakerPhase.CLOSED
    assert breaker.admitted(some(0, 200)) == some(0, 200)


def test_one_symbol_that_fails_again_and_again_does_not_open_it_and_an_only_one_does() -> None:
    breaker, alone = SourceBreaker(SETTINGS, Seconds()), SourceBreaker(SETTINGS, Seconds())
    breaker.record(some(1, 9), some(0, 1))
    for _ in range(30):
        assert breaker.record((), some(0, 1)) is BreakerPhase.CLOSED
        alone.record((), some(0, 1))
    assert alone.phase is BreakerPhase.OPEN


def test_failures_outside_the_window_are_forgotten() -> None:
    clock = Seconds()
    breaker = SourceBreaker(SETTINGS, clock)
    breaker.record((), some(0, 9))
    clock.now = 61
    assert breaker.record((), some(0, 9)) is BreakerPhase.CLOSED


def test_an_open_breaker_admits_nobody_and_then_a_few_probes() -> None:
    clock = Seconds()
    breaker = SourceBreaker(SETTINGS, clock)
    breaker.record((), some(0, 10))
    assert breaker.admitted(some(0, 200)) == []
    clock.now = 15
    assert breaker.phase is BreakerPhase.HALF_OPEN
    assert len(breaker.admitted(some(0, 200))) == 3
    assert breaker.admitted(some(0, 2)) == some(0, 2)


def test_probes_that_pass_close_it_and_a_share_that_fails_opens_it_anew() -> None:
    clock = Seconds()
    breaker = SourceBreaker(SETTINGS, clock)
    breaker.record((), some(0, 10))
    clock.now = 15
    assert breaker.record(some(0, 1), some(1, 2)) is BreakerPhase.OPEN
    clock.now = 29
    assert breaker.admitted(some(0, 3)) == []
    clock.now = 30
    assert breaker.record(some(0, 3), ()) is BreakerPhase.CLOSED
    assert breaker.record((), some(3, 4)) is BreakerPhase.CLOSED, "what was before the return is forgotten"


def test_a_symbol_that_always_fails_does_not_keep_a_source_away_that_has_recovered() -> None:
    clock = Seconds()
    breaker = SourceBreaker(SETTINGS, clock)
    breaker.record(some(1, 9), some(0, 1))
    breaker.record((), some(0, 10))
    breaker.record((), some(0, 10))
    assert breaker.phase is BreakerPhase.OPEN
    clock.now = 15
    assert breaker.admitted(some(0, 10)) == some(1, 3), "who failed before the others is asked after them"
    assert breaker.record(some(1, 2), some(0, 1)) is BreakerPhase.CLOSED
    for _ in range(30):
        assert breaker.record((), some(0, 1)) is BreakerPhase.CLOSED


def test_a_batch_without_a_single_request_changes_nothing() -> None:
    clock = Seconds()
    breaker = SourceBreaker(SETTINGS, clock)
    breaker.record((), some(0, 10))
    clock.now = 15
    assert breaker.record((), ()) is BreakerPhase.HALF_OPEN
