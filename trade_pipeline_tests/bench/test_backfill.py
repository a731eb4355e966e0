"""The benchmark of backfills: its ways compute the same, and growth is told per million bars."""

from __future__ import annotations

import json

import pytest

from trade_pipeline.bench import backfill
from trade_pipeline.errors import DataError


def size(days: int, seconds: float, peak_mb: float) -> dict[str, object]:
    return {"way": "lake", "days": days, "bars": days * 100_000, "seconds": seconds, "peak_mb": peak_mb, "lake_mb": 1.0}


def test_growth_is_what_a_million_more_bars_take() -> None:
    told = backfill.growth([size(1, 6.0, 200.0), size(5, 10.0, 202.0)])
    assert (told["seconds_per_million_bars"], told["peak_mb_per_million_bars"]) == (10.0, 5.0)
    assert told["growth"] == pytest.approx(1 / 3, rel=0.01)


def test_two_equal_sizes_are_refused() -> None:
    with pytest.raises(DataError, match="two sizes"):
        backfill.measure_backfill([2, 2], 1, print)


def in_child(way: str, days: int, symbols: int) -> dict[str, object]:
    """A process that takes two seconds a day; the way "wrong" computes other signals."""
    return size(days, 2.0 * days, 100.0) | {"way": way, "signals": days * symbols + (way == "wrong")}


def test_the_last_line_has_both_sizes_of_each_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "_in_child", in_child)
    found = json.loads(backfill.measure_backfill([4, 1], 3, lambda _: None).as_json())
    assert (found["days"], found["symbols"]) == ([1, 4], 3)
    assert {name: way["growth"] for name, way in found["ways"].items()} == dict.fromkeys(backfill.WAYS, 1.0)


def test_ways_that_compute_other_signals_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "_in_child", in_child)
    monkeypatch.setattr(backfill, "WAYS", ("lake", "wrong"))
    with pytest.raises(DataError, match="do not agree"):
        backfill.measure_backfill([1, 2], 1, lambda _: None)
