"""Reliability is counted by all processes of a home, and counting never costs an answer."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from trade_pipeline.market_data.sources.figures import ANSWERED, LATENCY_MS, Count, Figures

SPAWN = multiprocessing.get_context("spawn")


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_answers_failures_and_latencies_add_up(tmp_path: Path) -> None:
    figures = Figures(tmp_path / "f" / "figures.sqlite", 7)
    figures.add(
        [Count("one", ANSWERED, 8.0, 90), Count("one", ANSWERED, 300.0, 5), Count("one", "RateLimited", 1.0, 5)]
    )
    figures.add([Count("two", ANSWERED, 9000.0)], [("one", "OPEN")])
    one, two = figures.snapshot()
    assert (one.requests, one.answered, one.failures, one.phase) == (100, 95, {"RateLimited": 5}, "OPEN")
    assert one.answered_ratio == pytest.approx(0.95)
    assert one.latency_ms_mean == pytest.approx((90 * 8 + 5 * 300) / 95)
    assert (one.latency_ms_below(0.9), one.latency_ms_below(0.99)) == (10.0, 500.0)
    assert (two.latency_ms_below(0.5), two.phase) == (float("inf"), "CLOSED")
    assert len(two.latency_classes) == len(LATENCY_MS) + 1


def test_a_span_of_time_and_its_minutes(tmp_path: Path) -> None:
    clock = Clock()
    figures = Figures(tmp_path / "figures.sqlite", 7, clock)
    figures.add([Count("one", ANSWERED, 1.0, 2)])
    clock.now += 120
    figures.add([Count("one", ANSWERED, 1.0), Count("one", "VenueUnavailable", 1.0)])
    minute = 1_800_000_000 // 60
    assert figures.by_minute(0) == [(minute, "one", 2, 2), (minute + 2, "one", 2, 1)]
    assert figures.snapshot(clock.now - 30)[0].requests == 2


def test_what_is_too_old_is_forgotten(tmp_path: Path) -> None:
    clock = Clock()
    figures = Figures(tmp_path / "figures.sqlite", 1, clock)
    figures.add([Count("old", ANSWERED, 1.0)])
    clock.now += 2 * 86_400
    figures.add([Count("new", ANSWERED, 1.0)])
    assert [row.source for row in figures.snapshot()] == ["new"]


def test_totals_forget_nothing(tmp_path: Path) -> None:
    clock = Clock()
    figures = Figures(tmp_path / "figures.sqlite", 1, clock)
    assert figures.totals() == []
    figures.add([Count("one", ANSWERED, 8.0, 3), Count("one", "RateLimited", 1.0)], [("one", "OPEN")])
    clock.now += 2 * 86_400
    figures.add([Count("one", ANSWERED, 300.0, 2)])
    assert [row.requests for row in figures.snapshot()] == [2]
    (whole,) = figures.totals()
    assert (whole.requests, whole.answered, whole.failures) == (6, 5, {"RateLimited": 1})
    assert whole.latency_ms_sum == pytest.approx(3 * 8 + 2 * 300)


def _count(path: str) -> None:
    figures = Figures(Path(path), 7)
    for _ in range(50):
        figures.add([Count("one", ANSWERED, 1.0)])


def test_processes_add_to_the_same_figures(tmp_path: Path) -> None:
    path = tmp_path / "figures.sqlite"
    workers = [SPAWN.Process(target=_count, args=(str(path),)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert Figures(path, 7).snapshot()[0].requests >= 145, "a writer that waited too long is told and left out"


def test_figures_that_cannot_be_written_stop_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    figures = Figures(tmp_path / "file" / "figures.sqlite", 7)
    figures.add([Count("one", ANSWERED, 1.0)])
    assert figures.snapshot() == []
    broken = tmp_path / "figures.sqlite"
    broken.write_bytes(b"no database" * 100)
    Figures(broken, 7).add([Count("one", ANSWERED, 1.0)])
