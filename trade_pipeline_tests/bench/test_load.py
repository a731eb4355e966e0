"""The load of the latency benchmark, before a webserver that only writes down what it is asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trade_pipeline.bench.latency import Bars, latency_report, watch_bars
from trade_pipeline.bench.load import BURST_RUNS, TAG, Load, days_of_a_year
from trade_pipeline.bench.stages import STAGES, Bar
from trade_pipeline.errors import ConfigurationError
from trade_pipeline.ledger.database import Database
from trade_pipeline.ledger.ledger import Ledger

NOW = datetime(2026, 3, 1, 12, 0, 20, tzinfo=UTC)


class Webserver:
    """Takes every run, and tells of the backfill's that it is under way."""

    def __init__(self, answer: str = "LaunchRunSuccess") -> None:
        self.launched: list[tuple[str, dict[str, str]]] = []
        self._answer = answer

    def ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        if "launchRun" in query:
            self.launched.append((variables["job"], {tag["key"]: tag["value"] for tag in variables["tags"]}))
            return {"launchRun": {"__typename": self._answer, "message": "no"}}
        assert (variables["tag"], variables["value"]) in {("dagster/backfill", "b1"), (TAG, "yes")}
        return {"runsOrError": {"results": [{"runId": "r", "status": "STARTED", "pipelineName": "x"}]}}


def load_on(server: Webserver) -> Load:
    return Load(server.ask, lambda days: "b1", ["2026-02-28"], lambda line: None)


def test_a_year_ends_yesterday_and_is_cut_to_what_the_exchange_has() -> None:
    year = days_of_a_year(400, NOW)
    assert (len(year), year[0], year[-1]) == (365, "2025-03-01", "2026-02-28")
    assert days_of_a_year(3, NOW) == ["2026-02-27", "2026-02-28"]


def test_a_burst_is_an_audit_and_many_reports_and_all_of_it_is_counted() -> None:
    server = Webserver()
    load = load_on(server)
    load.begin()
    load.burst()

    jobs = [job for job, _ in server.launched]
    assert jobs == ["audit", *["reports"] * BURST_RUNS]
    assert all(tags[TAG] == "yes" for _, tags in server.launched)
    assert "dagster/partition" in server.launched[0][1]
    assert load.figures()["runs_asked_for"] == BURST_RUNS + 1
    assert load.figures()["backfill"] == {"STARTED": 1}


def test_a_run_that_dagster_refuses_ends_the_benchmark() -> None:
    with pytest.raises(ConfigurationError, match="refused"):
        load_on(Webserver("PythonError")).burst()


def test_the_burst_comes_just_before_each_close(ledger: Ledger, ledger_url: str) -> None:
    moment, acted = [NOW], list[datetime]()

    def sleep(seconds: float) -> None:
        moment[0] += timedelta(seconds=seconds)

    bars = watch_bars(
        ledger,
        Database(ledger_url),
        "main",
        2,
        lambda line: None,
        before_close=(2.0, lambda: acted.append(moment[0])),
        now=lambda: moment[0],
        sleep=sleep,
    )

    first = NOW.replace(second=58)
    assert acted[0] == first
    assert len(acted) == bars.not_executed == 2


def bars_of(*totals: float) -> Bars:
    close: Callable[[int], datetime] = lambda number: NOW.replace(second=0) + timedelta(minutes=number)  # noqa: E731
    made = [Bar(close(n), 3, total, 0.2, dict.fromkeys(STAGES, total / 10), 150) for n, total in enumerate(totals)]
    return Bars(made)


def test_the_last_line_tells_how_many_times_p95_is_with_load() -> None:
    told: list[str] = []
    report = latency_report(bars_of(1.0, 2.0), [], told.append, bars_of(2.0, 2.3), {"bursts": 2})
    laden: Any = report.summary["with_load"]

    assert laden["p95_s"] == pytest.approx(2.285)
    assert laden["ratio_p95"] == pytest.approx(2.285 / 1.95, abs=0.001)
    assert laden["aim_met"]
    assert laden["load"] == {"bursts": 2}
    assert laden["stages"]["send"]["max_s"] == pytest.approx(0.23)
    assert "p95 is 1.17 times" in told[-1]


def test_under_a_load_that_let_no_bar_trade_there_is_no_ratio() -> None:
    laden: Any = latency_report(bars_of(1.0), [], print, Bars(not_executed=2), {}).summary["with_load"]
    assert (laden["ratio_p95"], laden["aim_met"], laden["bars_not_executed"]) == (None, False, 2)
