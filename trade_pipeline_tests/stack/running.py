"""A whole stack, started as a user starts it, and what tests ask of it from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import secrets_from, settings_in_force
from trade_pipeline.venues.factory import trading_venue
from trade_pipeline.venues.protocols import TradingVenue

Found = TypeVar("Found")
POLL_S = 0.5
EXCHANGE_POLL_S = 5.0
"""Reading the account costs weight, and the exchange bans the address, stack included, that asks too often."""
REPOSITORY = Path(__file__).resolve().parents[2]

_CHECKS = """query Checks($asset: AssetKeyInput!) { assetNodeOrError(assetKey: $asset) { ... on AssetNode {
    assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization {
        status runId evaluation { success metadataEntries { label ... on IntMetadataEntry { intValue } } }
    } } } }
} } }"""
_EXECUTIONS = """query Executions($asset: AssetKeyInput!, $check: String!) {
    assetCheckExecutions(assetKey: $asset, checkName: $check, limit: 1) {
        status runId evaluation { success metadataEntries { label ... on IntMetadataEntry { intValue } } }
} }"""


def clean_environment() -> dict[str, str]:
    """The shell's environment without what names another stack."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TRADE_PIPELINE", "DAGSTER"))}
    return {**kept, "TRADE_PIPELINE__EXCHANGE__PORT": "0"}


@dataclass
class RunningStack:
    home: Home
    process: subprocess.Popen[str]
    log: Path

    @classmethod
    def start(cls, folder: Path, *arguments: str) -> RunningStack:
        home = Home.at(folder / "home")
        log = folder / "up.log"
        command = [sys.executable, "-m", "trade_pipeline.cli", "up", "--home", str(home.root), "--port", "0"]
        with log.open("w") as output:
            process = subprocess.Popen(
                [*command, *arguments],
                env=clean_environment(),
                cwd=REPOSITORY,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                text=True,
            )
        return cls(home, process, log)

    def stop(self) -> int:
        """Ctrl-C, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=120)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The product's own command on this stack."""
        return subprocess.run(
            [sys.executable, "-m", "trade_pipeline.cli", *arguments, "--home", str(self.home.root)],
            env=clean_environment(),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def stack_file(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.home.stack.read_text())
        return found

    @property
    def ui_url(self) -> str:
        return str(self.stack_file()["ui_url"])

    def ledger(self) -> Ledger:
        return Ledger(secrets_from({}, self.home).ledger_url)

    def ask(self, question: Callable[[Ledger], Found]) -> Found:
        """One question to the ledger of the stack."""
        with closing(self.ledger()) as ledger:
            return question(ledger)

    def venue(self) -> TradingVenue:
        settings = settings_in_force(self.home)
        return trading_venue(settings, secrets_from({}, self.home), self.stack_file()["exchange_url"])

    def inject(self, fault: Mapping[str, object]) -> None:
        self._sim("POST", fault)

    def heal(self) -> None:
        self._sim("DELETE", None)

    def _sim(self, method: str, body: Mapping[str, object] | None) -> None:
        token = secrets_from({}, self.home).exchange_api_secret
        url = f"{self.stack_file()['exchange_url']}/sim/faults"
        answer = httpx.request(method, url, json=body, headers={"X-SIM-TOKEN": token}, timeout=10)
        answer.raise_for_status()

    def graphql(self, query: str, variables: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Asks the stack's own webserver, as the UI does."""
        answer = httpx.post(f"{self.ui_url}/graphql", json={"query": query, "variables": variables or {}}, timeout=30)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        assert "errors" not in found, found
        data: dict[str, Any] = found["data"]
        return data

    def checks(self, asset: str) -> dict[str, dict[str, Any] | None]:
        """Name of each check of an asset -> its latest execution as the UI sees it: status, evaluation, metadata."""
        data = self.graphql(_CHECKS, {"asset": {"path": [asset]}})
        found = data["assetNodeOrError"]["assetChecksOrError"]["checks"]
        return {item["name"]: item["executionForLatestMaterialization"] for item in found}

    def newest_execution(self, asset: str, check: str) -> dict[str, Any] | None:
        """The newest execution of one check, whatever was materialised after it: a live decision comes each minute."""
        asked = {"asset": {"path": [asset]}, "check": check}
        return next(iter(self.graphql(_EXECUTIONS, asked)["assetCheckExecutions"]), None)

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Name of each program that `status` tells of -> its live processes: the supervised one and its children."""
        status = json.loads(self.command("status", "--json").stdout)
        pids = {item["name"]: item["process_id"] for item in status["processes"]}
        parents = {name: psutil.Process(pid) for name, pid in pids.items() if pid and psutil.pid_exists(pid)}
        return {name: [parent, *parent.children(recursive=True)] for name, parent in parents.items()}

    def ledger_equals_exchange(self) -> bool:
        """Balances and open orders, to the last digit."""
        venue = self.venue()
        try:
            reading = venue.account()
            on_exchange = {order.client_order_id for order in venue.open_orders()}
        finally:
            venue.close()
        expected = self.ask(lambda ledger: ledger.expected_balances("main"))
        live = self.ask(lambda ledger: {order.client_order_id for order in ledger.live_orders("main")})
        balances = {asset: balance.total for asset, balance in reading.balances.items() if balance.total}
        return balances == {asset: amount for asset, amount in expected.items() if amount} and on_exchange == live

    def newest_decision_at(self) -> datetime | None:
        decision = self.ask(lambda ledger: ledger.newest_decision("main"))
        return decision.as_of if decision else None

    def executed_after(self, moment: datetime) -> bool:
        """Whether a decision on a bar that closed after `moment` was executed."""

        def question(ledger: Ledger) -> bool:
            decisions = ledger.decisions_between("main", moment, datetime(9999, 1, 1, tzinfo=UTC))
            return any(outcome.stage == "execute" for d in decisions for outcome in ledger.outcomes(d.decision_id))

        return self.ask(question)


def awaited(
    question: Callable[[], Found | None], within_s: float, what: str, stack: RunningStack, poll_s: float = POLL_S
) -> Found:
    """The first true answer; a part of the stack that is down for a moment is asked again."""
    deadline = time.monotonic() + within_s
    last: Exception | None = None
    while time.monotonic() < deadline:
        assert stack.process.poll() is None, f"the stack ended: {stack.log.read_text()[-2000:]}"
        try:
            if answer := question():
                return answer
        except Exception as error:  # the caller awaits a state; how its absence shows does not matter
            last = error
        time.sleep(poll_s)
    raise AssertionError(f"not within {within_s:g} s: {what} ({last!r}); {stack.log.read_text()[-2000:]}")


@contextmanager
def traded_once(folder: Path) -> Iterator[RunningStack]:
    """A stack whose first order is filled. It ends well, by Ctrl-C, and leaves no process."""
    running = RunningStack.start(folder)
    try:
        awaited(lambda: running.ask(lambda ledger: ledger.fills("main")), 240, "a first fill", running)
        yield running
    finally:
        code = running.stop()
    assert code == 0, running.log.read_text()[-3000:]
    assert left_running(running.home) == []


def left_running(home: Home) -> list[str]:
    """Command lines of processes that still belong to the home."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TRADE_PIPELINE_HOME") == str(home.root):
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found
