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


def test_few_requests_say_nothing() -> None:
    breaker = SourceBreaker(SETTINGS, Seconds())
    assert breaker.record(0, 9) is BreakerPhase.CLOSED
    assert breaker.record(0, 1) is BreakerPhase.OPEN


def test_a_small_share_of_failures_leaves_it_closed() -> None:
    breaker = SourceBreaker(SETTINGS, Seconds())
    for _ in range(100):
        assert breaker.record(19, 1) is BreakerPhase.CLOSED
    assert breaker.admitted(200) == 200


def test_failures_outside_the_window_are_forgotten() -> None:
    clock = Seconds()
    breaker = SourceBreaker(SETTINGS, clock)
    breaker.record(0, 9)
    clock.now = 61
    assert breaker.record(0, 9) is BreakerPhase.CLOSED


def test_an_open_breaker_admits_nobody_and_then_a_few_probes() -> None:
    clock = Seconds()
    breaker = SourceBreaker(SETTINGS, clock)
    breaker.record(0, 10)
    assert breaker.admitted(200) == 0
    clock.now = 15
    assert breaker.phase is BreakerPhase.HALF_OPEN
    assert breaker.admitted(200) == 3
    assert breaker.admitted(2) == 2


def test_probes_that_pass_close_it_and_one_that_fails_opens_it_anew() -> None:
    clock = Seconds()
    breaker = SourceBreaker(SETTINGS, clock)
    breaker.record(0, 10)
    clock.now = 15
    assert breaker.record(2, 1) is BreakerPhase.OPEN
    clock.now = 29
    assert breaker.admitted(3) == 0
    clock.now = 30
    assert breaker.record(3, 0) is BreakerPhase.CLOSED
    assert breaker.record(0, 9) is BreakerPhase.CLOSED, "what was before the return is forgotten"


def test_a_batch_without_a_single_request_changes_nothing() -> None:
    clock = Seconds()
    breaker = SourceBreaker(SETTINGS, clock)
    breaker.record(0, 10)
    clock.now = 15
    assert breaker.record(0, 0) is BreakerPhase.HALF_OPEN
