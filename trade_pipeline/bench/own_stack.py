"""A stack for one benchmark: started as a user starts it, in a folder that is thrown away, trading in most bars."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from trade_pipeline.bench.recorded_times import executed
from trade_pipeline.errors import ConfigurationError, LedgerError, SettingsError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import secrets_from, settings_in_force

LIVELY = Path(__file__).with_name("lively.yaml")
READY_S_MAX = 300.0
STOP_S_MAX = 120.0
POLL_S = 1.0


def environment_without_stack() -> dict[str, str]:
    """Somebody's shell may carry the environment of another stack."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TRADE_PIPELINE", "DAGSTER"))}


@contextmanager
def own_stack(settings_file: Path = LIVELY, *, history_days: int | None = None) -> Iterator[Home]:
    """Yields once a first decision was executed: that one fetches the whole history and counts nowhere.

    `history_days`: how much of it the exchange has, where that is not the settings' own.

    Raises ConfigurationError where the stack ends or nothing is executed in time.
    """
    folder = Path(tempfile.mkdtemp(prefix="trade-pipeline-bench-"))
    home, log = Home.at(folder / "home"), folder / "up.log"
    command = [sys.executable, "-m", "trade_pipeline.cli", "up", "--home", str(home.root), "--port", "0"]
    environ = {**environment_without_stack(), "TRADE_PIPELINE__EXCHANGE__PORT": "0"}
    if history_days is not None:
        environ["TRADE_PIPELINE__EXCHANGE__HISTORY_DAYS"] = str(history_days)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  (our own command)
            [*command, "--settings", str(settings_file)],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _await_first(home, process, log)
        yield home
    finally:
        _stop(process)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(home.sockets, ignore_errors=True)


def _await_first(home: Home, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S_MAX
    while not _has_executed(home):
        if process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise ConfigurationError(
                f"the stack of the benchmark executed nothing; its last words: {' '.join(words)}", thing=str(home.root)
            )
        time.sleep(POLL_S)


def _has_executed(home: Home) -> bool:
    try:
        account = settings_in_force(home).account
        with closing(Ledger(secrets_from({}, home).ledger_url)) as ledger:
            decision = ledger.newest_decision(account)
            return decision is not None and executed(ledger, decision.decision_id) is not None
    except (LedgerError, SettingsError, json.JSONDecodeError):
        return False  # It is starting.


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
