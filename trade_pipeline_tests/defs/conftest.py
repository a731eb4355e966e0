"""A small stack for tests of the shell: simulated exchange, embedded PostgreSQL, lake, and a Dagster instance."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import httpx
import pytest

from trade_pipeline.definitions import defs
from trade_pipeline.defs import resources
from trade_pipeline.defs.partitions import last_close, partition_of
from trade_pipeline.defs.resources import OpenStack
from trade_pipeline.defs.run_time import AS_OF_TAG
from trade_pipeline.runtime.dagster_storage import engine_of
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import write_settings_in_force
from trade_pipeline.settings.market import MarketSettings, SimulatedExchangeSettings
from trade_pipeline.settings.root import Settings


@dataclass
class TestStack:
    """What a test of the shell works with."""

    __test__ = False

    home: Home
    instance: dg.DagsterInstance
    url: str
    secret: str

    @property
    def open(self) -> OpenStack:
        return resources.open_stack(str(self.home.root))

    def decide(self, as_of: datetime | None = None, *, check: bool = True) -> dg.ExecuteInProcessResult:
        """A run of the job `decide` for the last closed bar, as the schedule would ask for it."""
        moment = as_of or last_close(datetime.now(UTC))
        return defs.resolve_job_def("decide").execute_in_process(
            instance=self.instance,
            partition_key=partition_of(moment),
            tags={AS_OF_TAG: moment.isoformat()},
            raise_on_error=check,
        )

    def decide_at_next_close(self) -> dg.ExecuteInProcessResult:
        """Waits for it: what happens at a bar's close cannot be had earlier."""
        close = last_close(datetime.now(UTC)) + timedelta(minutes=1)
        wait_until(close)
        return self.decide(close)

    def execute(self, decision_id: str) -> dg.ExecuteInProcessResult:
        return defs.resolve_job_def("execute").execute_in_process(
            instance=self.instance,
            run_config={"ops": {"execute_decision": {"config": {"decision_id": decision_id}}}},
        )

    def backfill(self, assets: list[str], first: str, last: str) -> dg.ExecuteInProcessResult:
        """A single-run backfill, as the UI launches it."""
        job = defs.resolve_job_def("__ASSET_JOB")
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        return job.execute_in_process(
            instance=self.instance, tags=tags, asset_selection=[dg.AssetKey(name) for name in assets]
        )

    def fault(self, **fault: object) -> None:
        answer = httpx.post(f"{self.url}/sim/faults", json=fault, headers={"X-SIM-TOKEN": self.secret})
        assert answer.status_code < 300, answer.text

    def no_faults(self) -> None:
        httpx.delete(f"{self.url}/sim/faults", headers={"X-SIM-TOKEN": self.secret})


def metadata_of(result: dg.ExecuteInProcessResult, name: str) -> dict[str, object]:
    """Metadata of what a run of one day materialised."""
    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key and e.asset_key.path[-1] == name]
    return {key: value.value for key, value in event.step_materialization_data.materialization.metadata.items()}


def decision_of(result: dg.ExecuteInProcessResult) -> str:
    return str(metadata_of(result, "approved_targets")["decision_id"])


def settle_in_minute(margin_s: float = 15.0) -> None:
    """Not so close to the end of a minute that a run would cross it."""
    left = 60 - datetime.now(UTC).second
    if left < margin_s:
        time.sleep(left + 0.3)


def wait_until(moment: datetime) -> None:
    """The exchange's time is wall time: what happens at a bar's close has to be waited for."""
    while (left := (moment - datetime.now(UTC)).total_seconds()) > 0:
        time.sleep(left)


@contextmanager
def running_stack(folder: Path, ledger_url: str, instance: dg.DagsterInstance, symbols: int) -> Iterator[TestStack]:
    """Starts the simulated exchange as its own process on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    key, secret = secrets.token_hex(16), secrets.token_hex(16)
    home = Home.at(folder / "home")
    settings = Settings(
        home=home.root,
        exchange=SimulatedExchangeSettings(port=port, symbols=symbols, history_days=4),
        market=MarketSettings(symbols_max=symbols, warmup_bars=300),
    )
    write_settings_in_force(home, settings)
    home.exchange.mkdir(parents=True, exist_ok=True)
    environ = {
        "TRADE_PIPELINE_HOME": str(home.root),
        "TRADE_PIPELINE_LEDGER_URL": ledger_url,
        "TRADE_PIPELINE_EXCHANGE_URL": f"http://127.0.0.1:{port}",
        "TRADE_PIPELINE_EXCHANGE_API_KEY": key,
        "TRADE_PIPELINE_EXCHANGE_API_SECRET": secret,
    }
    before = dict(os.environ)
    os.environ.update(environ)
    log = (folder / "exchange.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "trade_pipeline.exchange", "--home", str(home.root)],
        stdout=log,
        stderr=log,
        cwd=Path(__file__).resolve().parents[2],
    )
    try:
        _wait_until_it_answers(process, f"http://127.0.0.1:{port}", folder / "exchange.log")
        yield TestStack(home, instance, f"http://127.0.0.1:{port}", secret)
    finally:
        resources.forget(str(home.root))
        process.terminate()
        process.wait(timeout=20)
        log.close()
        os.environ.clear()
        os.environ.update(before)


def _wait_until_it_answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=90)
    while True:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"{url}/api/v3/ping", timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            assert datetime.now(UTC) < deadline, log.read_text()
            time.sleep(0.1)


@pytest.fixture
def stack(tmp_path: Path, ledger_url: str) -> Iterator[TestStack]:
    """Five symbols with four days of history."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    storage = {
        "module": "trade_pipeline.runtime.dagster_storage",
        "class": "PooledPostgresStorage",
        "config": {"postgres_url": ledger_url},
    }
    overrides = {"storage": {"custom": storage}, "telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(folder), overrides=overrides) as instance:
        with running_stack(tmp_path, ledger_url, instance, symbols=5) as running:
            yield running
    engine_of(ledger_url).dispose()  # the database is dropped next
