"""What a scraper reads, from a real ledger and real figures, told apart by the library's own parser."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import BreakerState, Conflict, EquityPoint, Heartbeat, Lock
from trade_pipeline.market_data.lake import lake_of
from trade_pipeline.market_data.sources.figures import ANSWERED, Count, Figures
from trade_pipeline.observe.metrics import collector
from trade_pipeline.observe.metrics.collector import StackCollector
from trade_pipeline.observe.metrics.exposition import Exposition
from trade_pipeline.observe.metrics.table import FAILED, PREFIX, SPECS
from trade_pipeline.runtime.environment import prepare_home
from trade_pipeline.runtime.processes import Process
from trade_pipeline.runtime.supervise import Supervisor
from trade_pipeline.schemas import frames
from trade_pipeline.schemas.trading import Role, Side
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline.settings.runtime import RuntimeSettings
from trade_pipeline_tests.fakes import make_decision, make_snapshot, make_target
from trade_pipeline_tests.ledger.flow import buy, open_order
from trade_pipeline_tests.observe.metrics.scraped import Scrape, read

NOW = datetime.now(UTC)
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path)


@pytest.fixture
def exposition(home: Home, ledger_url: str) -> Exposition:
    return Exposition(home, Settings(), {"TRADE_PIPELINE_LEDGER_URL": ledger_url})


def _scrape(exposition: Exposition) -> Scrape:
    told = exposition.text()
    assert told is not None
    return read(told[0].decode())


def _seconds_since(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()


def test_an_empty_home_is_scraped_without_a_failure(exposition: Exposition) -> None:
    found = _scrape(exposition)
    assert found.labelled(FAILED) and not any(found.labelled(FAILED).values())
    assert found.one("positions") == 0
    assert found.one("open_conflicts") == 0
    assert found.one("breaker_state", scope="account", state="CLOSED") == 1
    assert not found.labelled("last_decision_age_seconds")


def test_the_last_decision_tells_its_age_and_its_latency(exposition: Exposition, ledger: Ledger) -> None:
    as_of = NOW - timedelta(seconds=70)
    decision = make_decision(as_of=as_of, decided_at=as_of + timedelta(seconds=2))
    ledger.record_decision(decision, make_snapshot(decision.snapshot_id), [make_target()])
    found = _scrape(exposition)
    assert 70 <= found.one("last_decision_age_seconds") <= _seconds_since(as_of)
    assert found.one("last_decision_latency_seconds") == 2


def test_a_position_is_unprotected_until_its_stop_rests(exposition: Exposition, ledger: Ledger) -> None:
    buy(ledger, 1, "2", "100")
    found = _scrape(exposition)
    assert (found.one("positions"), found.one("unprotected_positions")) == (1, 1)
    assert found.one("position_protection", symbol="BTC/USDT", protection="none") == 1
    assert found.one("position_cost_quote", symbol="BTC/USDT") == pytest.approx(200, rel=0.01)
    open_order(ledger, 2, amount=Decimal(2), side=Side.SELL, role=Role.PROTECT)
    found = _scrape(exposition)
    assert found.one("unprotected_positions") == 0
    assert found.one("position_protection", symbol="BTC/USDT", protection="stop") == 1
    assert (found.one("open_orders", role="protect"), found.one("open_orders", role="entry")) == (1, 0)
    assert found.one("unknown_orders") == 0


def test_breakers_conflicts_locks_and_recoveries_are_told(exposition: Exposition, ledger: Ledger) -> None:
    ledger.set_breaker(BreakerState("main", "*", "OPEN", "drawdown", "too deep", NOW, NOW))
    ledger.set_breaker(BreakerState("main", "BTC/USDT", "HALF_OPEN", "spread", "wide", NOW, NOW))
    for name, outcome in (("a", "found"), ("b", "halted"), ("c", "found"), ("c", "resolved")):
        ledger.record_conflict(Conflict(name, "main", "BTC/USDT", "position_long", None, None, "", outcome, NOW))
    ledger.lock(Lock("main", "trend", "BTC/USDT", "stopped out", NOW))
    for day in (date(2024, 5, 1), date(2024, 5, 2)):
        ledger.count_recovery(day, "submit", "RateLimited", "wait", True)
    ledger.count_recovery(date(2024, 5, 2), "submit", "RateLimited", "wait", False)
    found = _scrape(exposition)
    assert found.one("breaker_state", scope="account", state="OPEN") == 1
    assert found.one("breaker_state", scope="account", state="CLOSED") == 0
    assert found.one("breaker_state", scope="BTC/USDT", state="HALF_OPEN") == 1
    assert found.one("open_conflicts") == found.one("open_conflicts_by_kind", kind="position_long") == 2
    assert found.one("locks") == 1
    of = {"component": "submit", "error": "RateLimited", "action": "wait"}
    assert found.one("recoveries_total", outcome="recovered", **of) == 2
    assert found.one("recoveries_total", outcome="failed", **of) == 1


def test_equity_and_drawdown_are_those_of_the_newest_point(exposition: Exposition, ledger: Ledger) -> None:
    numbers = [Decimal(value) for value in ("9900", "400", "9500", "80", "-20", "15", "11000")]
    ledger.record_equity(EquityPoint("main", NOW - timedelta(seconds=30), *numbers))
    found = _scrape(exposition)
    assert (found.one("equity_quote"), found.one("cash_quote"), found.one("fees_quote")) == (9900, 400, 15)
    assert found.one("drawdown_ratio") == pytest.approx(0.1)
    assert found.one("equity_age_seconds") >= 30


def test_processes_tell_when_they_last_went_round(exposition: Exposition, home: Home, ledger: Ledger) -> None:
    ledger.heartbeat("guard", {})
    beat = home.beat_file("worker_decide")
    beat.parent.mkdir()
    beat.touch()
    (beat.parent / "signs.json").write_text(
        f'{{"at": "{datetime.now(UTC).isoformat()}", "signs": {{"daemon": ["ticks", 12.5, 100]}}}}'
    )
    home.control.mkdir()
    home.pause.write_text("{}")
    found = _scrape(exposition)
    assert 0 <= found.one("guard_cycle_age_seconds", process="guard") < 300
    assert 0 <= found.one("beat_age_seconds", process="worker_decide") < 300
    assert found.one("sign_of_life_age_seconds", process="daemon", sign="ticks") == 12.5
    assert found.one("sign_of_life_limit_seconds", process="daemon", sign="ticks") == 100
    assert found.one("paused") == 1


def test_the_supervisor_tells_which_processes_run(exposition: Exposition, home: Home) -> None:
    assert not _scrape(exposition).labelled("process_up")
    prepare_home(home)
    supervisor = Supervisor(home)
    waits = (sys.executable, "-c", "import time; time.sleep(60)")
    rows = [Process(name, waits, stop_signal="KILL", steady_s=0) for name in ("waits", "never")]
    supervisor.start(rows, dict(os.environ), RuntimeSettings())
    try:
        supervisor.start_process("waits")
        found = _scrape(exposition)
        assert found.labelled("process_up") == {("never",): 0, ("waits",): 1}
        assert abs(found.one("process_started_timestamp_seconds", process="waits") - time.time()) < 300
    finally:
        supervisor.shutdown(20)
        home.sockets.rmdir()


def _score(symbol: str, score: float, held: str | None) -> dict[str, object]:
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    counts = dict.fromkeys(("expected", "accepted", "repaired", "quarantined", "synthetic", "missing"), 1)
    return {"symbol": symbol, "open_time": midnight, "as_of": NOW, "score": score, "held": held, **counts}


def test_the_score_of_each_symbol_is_that_of_the_newest_day(exposition: Exposition, home: Home) -> None:
    import polars as pl

    rows = [_score("BTC/USDT", 0.98, None), _score("ETH/USDT", 0.4, "too few bars")]
    frame = pl.DataFrame(rows, schema=frames.QUALITY_SCORES)
    lake = lake_of(Settings().storage, home)
    yesterday = frame.with_columns(pl.col("open_time", "as_of") - timedelta(days=1), score=pl.lit(0.1))
    lake.append("quality_scores", yesterday, known_at=NOW)
    gone = frame.tail(1).with_columns(pl.lit("GONE/USDT").alias("symbol"), pl.col("as_of") - timedelta(minutes=1))
    lake.append("quality_scores", pl.concat([frame, gone]).sort("symbol"), known_at=NOW)
    found = _scrape(exposition)
    assert found.labelled("quality_score") == {("BTC/USDT",): 0.98, ("ETH/USDT",): 0.4}
    assert found.labelled("quality_held") == {("BTC/USDT",): 0, ("ETH/USDT",): 1}
    assert 0 <= found.one("quality_age_seconds") <= _seconds_since(NOW)


def test_counters_of_sources_outlive_what_is_remembered_by_the_minute(home: Home, exposition: Exposition) -> None:
    past = Figures(home.source_figures, 1, (NOW - timedelta(days=9)).timestamp)
    past.add([Count("binance-sim", ANSWERED, 30.0, 7), Count("binance-sim", "RateLimited", 1.0, 3)])
    Figures(home.source_figures, 1).add([Count("binance-sim", ANSWERED, 30.0, 10)])
    found = _scrape(exposition)
    assert found.one("source_requests_total", source="binance-sim") == 20
    assert found.one("source_failures_total", source="binance-sim", error="RateLimited") == 3
    assert found.one("source_answered_ratio", source="binance-sim") == 1.0
    assert found.one("source_latency_seconds_bucket", source="binance-sim", le="0.05") == 17
    assert found.one("source_latency_seconds_bucket", source="binance-sim", le="0.02") == 0
    assert found.one("source_latency_seconds_sum", source="binance-sim") == pytest.approx(0.51)


def test_a_ledger_that_is_away_takes_its_metrics_along_and_no_others(home: Home, tmp_path: Path) -> None:
    Figures(home.source_figures, 1).add([Count("binance-sim", ANSWERED, 30.0, 10)])
    away = Exposition(home, Settings(), {"TRADE_PIPELINE_LEDGER_URL": f"postgresql+psycopg2://a:b@/x?host={tmp_path}"})
    found = _scrape(away)
    failed = found.labelled(FAILED)
    assert {name for (name,), value in failed.items() if value} == {
        *("heartbeats", "decisions", "positions", "troubles", "equity")
    }
    assert not found.labelled("positions")
    assert found.one("source_requests_total", source="binance-sim") == 10


class _HangingLedger(Ledger):
    """Answers once `goes_on` is set, and counts how often it was asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.goes_on = threading.Event()
        self.asked = 0

    def heartbeats(self) -> list[Heartbeat]:
        self.asked += 1
        assert self.goes_on.wait(60)
        return super().heartbeats()


def test_a_database_that_hangs_is_given_up_and_not_asked_again_until_it_answers(
    home: Home, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "ANSWER_S", 0.2)
    Figures(home.source_figures, 1).add([Count("binance-sim", ANSWERED, 30.0, 10)])
    with closing(_HangingLedger(ledger_url)) as hanging:
        registry = CollectorRegistry()
        registry.register(StackCollector(home, Settings(), hanging))
        for _ in range(2):
            found = read(generate_latest(registry).decode())
            assert found.one(FAILED, part="positions") == 1
            assert found.one("source_requests_total", source="binance-sim") == 10
        assert hanging.asked == 1
        hanging.goes_on.set()
        monkeypatch.setattr(collector, "ANSWER_S", 60.0)
        deadline = time.monotonic() + 60
        while found.one(FAILED, part="positions") and time.monotonic() < deadline:
            found = read(generate_latest(registry).decode())
        assert found.one("positions") == 0


def test_one_part_that_breaks_breaks_no_other(home: Home, exposition: Exposition) -> None:
    home.source_figures.parent.mkdir()
    home.source_figures.write_bytes(b"this is no database" * 100)
    found = _scrape(exposition)
    assert {name for (name,), value in found.labelled(FAILED).items() if value} == {"sources"}
    assert found.one("positions") == 0


def test_both_formats_are_well_formed_and_tell_only_what_the_table_names(
    exposition: Exposition, ledger: Ledger, home: Home
) -> None:
    buy(ledger, 1, "2", "100")
    ledger.count_recovery(date(2024, 5, 1), "submit", "RateLimited", "wait", True)
    Figures(home.source_figures, 1).add([Count("binance-sim", ANSWERED, 30.0, 10)])
    for accept, parse in ((OPEN_METRICS, open_metrics), ("", plain_text)):
        told = exposition.text(accept)
        assert told is not None
        body, kind = told
        assert kind.startswith("application/openmetrics-text" if accept else "text/plain")
        for family in parse(body.decode()):
            name = family.name.removeprefix(PREFIX)
            name = f"{name}_total" if family.type == "counter" and not name.endswith("_total") else name
            spec = SPECS[name]
            assert family.type == str(spec.kind)
            for sample in family.samples:
                assert set(sample.labels) - {"le"} == set(spec.labels)


def test_to_be_registered_asks_nobody(home: Home, tmp_path: Path) -> None:
    with closing(Ledger(f"postgresql+psycopg2://a:b@/x?host={tmp_path}")) as nobody:
        unasked = StackCollector(home, Settings(), nobody, now=_never)
        assert {family.name for family in unasked.describe()} == {
            PREFIX + name.removesuffix("_total") for name in SPECS
        }


def _never() -> datetime:
    raise AssertionError("nobody scraped")


def test_a_password_is_in_no_label_and_no_value(home: Home, ledger_url: str) -> None:
    secret = "hunter2hunter2"
    url = f"postgresql+psycopg2://someone:{secret}@127.0.0.1:1/x"
    told = Exposition(home, Settings(), {"TRADE_PIPELINE_LEDGER_URL": url}).text()
    assert told is not None
    assert secret.encode() not in told[0]
