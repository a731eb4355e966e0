"""The benchmark of execution measures what it says, at a size that a test can afford."""

from __future__ import annotations

import json

import pytest

from trade_pipeline.bench.bookkeeping import Sizes
from trade_pipeline.bench.execution import measure_execution
from trade_pipeline.bench.measure import Report
from trade_pipeline.commands.bench import run_bench

SMALL = Sizes(positions=6, trades=4, fills=24, chain_fills=12, chain_orders=3, chain_rounds=1)


def test_every_row_counts_what_was_asked_for(ledger_url: str) -> None:
    told: list[str] = []

    report = measure_execution(ledger_url, told.append, SMALL)

    counts = {row.name: row.count for row in report.rows}
    assert counts["reconcile quiet"] == counts["reconcile moved"] == counts["plan"] == 6
    assert (counts["trade"], counts["book"]) == (4, 24)
    assert counts["verify-ledger"] > 100
    assert report.ratios["booking with the chain"] > 0
    assert len(told) == len(report.rows) + len(report.ratios)


def test_the_last_line_of_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    def measure(tell: object) -> Report:
        report = Report("small")
        with report.row("quick", 1_000_000, "things", floor_per_min=1):
            pass
        return report

    code = run_bench(measure, as_json=True)

    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert code == 0
    assert last["bench"] == "small" and last["passed"]
    assert last["rows"]["quick"]["count"] == 1_000_000
    assert last["memory_peak_mb"] > 1


def test_a_missed_floor_is_named_and_is_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    def measure(tell: object) -> Report:
        report = Report("small")
        with report.row("slow", 1, "things", floor_per_min=1e15):
            pass
        return report

    assert run_bench(measure, as_json=False) == 1
    assert "a floor is missed: slow" in capsys.readouterr().out
