"""A soak counts what a stack leaves behind per bar, on a real database, and says when bars do not come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from trade_pipeline.bench import soak
from trade_pipeline.bench.soak import Sample, Soak, measure_soak
from trade_pipeline.errors import DataError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.settings.home import Home
from trade_pipeline_tests.fakes import START, make_decision, make_snapshot, make_target


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Without a supervisor: who lives is none of these tests' business."""

    def one_process(_home: Home) -> Mapping[str, float]:
        return {"guard": 100.0}

    monkeypatch.setattr(soak, "memory_of", one_process)
    return Home.at(tmp_path)


def decide(ledger: Ledger, number: int) -> None:
    """The decision of bar `number`, taken a second and a half after its close, and a file in the lake."""
    as_of = START + timedelta(minutes=number)
    decision = make_decision(f"{number:032x}", as_of=as_of, decided_at=as_of + timedelta(seconds=1.5))
    ledger.record_decision(decision, make_snapshot(decision.snapshot_id), [make_target(decision.decision_id)])


def test_rows_files_and_latency_are_told_per_bar(home: Home, ledger_url: str) -> None:
    with closing(Ledger(ledger_url)) as ledger:
        decide(ledger, 0)
        bar = iter(range(1, 100))

        def a_minute(_seconds: float) -> None:
            number = next(bar)
            decide(ledger, number)
            home.lake.mkdir(exist_ok=True)
            (home.lake / f"{number}.parquet").write_bytes(b"x" * 1000)

        lines: list[str] = []
        found = measure_soak(home, ledger_url, "main", 4, lines.append, a_minute)
    answer = json.loads(found.as_json())
    assert (answer["bench"], answer["bars"], len(lines)) == ("soak", 4, 4)
    assert answer["latency_p50_s"] == {"first": 1.5, "last": 1.5}
    assert answer["rows"]["ledger.decisions"] == {"first": 1, "last": 5, "per_bar": 1.0, "per_year": 525_600}
    assert answer["files"]["lake"]["per_bar"] == 1.0
    assert answer["folder_bytes"]["lake"]["last"] == 4000
    assert answer["memory_mb"]["guard"]["per_bar"] == 0.0
    assert any("rows ledger.decisions" in line for line in found.as_text())


def test_bars_that_do_not_come_end_it(home: Home, ledger_url: str) -> None:
    with pytest.raises(DataError, match="0 bars were decided on"):
        measure_soak(home, ledger_url, "main", 2, lambda _: None, lambda _: None)


def test_one_odd_sample_is_no_growth() -> None:
    def at(bar: int, memory: float) -> Sample:
        return Sample(f"{START + timedelta(minutes=bar):%Y-%m-%dT%H:%M:%S%z}", bar, None, {"w": memory}, {}, {}, {}, {})

    level = Soak([at(bar, 900.0 if bar == 38 else 100.0) for bar in range(40)])
    rising = Soak([at(bar, 100.0 + 2 * bar) for bar in range(40)])
    assert level.growth(lambda one: one.memory_mb)["w"].per_bar == 0
    assert rising.growth(lambda one: one.memory_mb)["w"].per_bar == 2
