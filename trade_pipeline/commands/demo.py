"""`demo`: a stack in a temporary home, its first fill, and that order's story. The exit code tells."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from trade_pipeline.commands.output import hint, say
from trade_pipeline.commands.show import show_explanation
from trade_pipeline.errors import LedgerError, SettingsError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import secrets_from, settings_in_force

_STOP_S = 120.0
_POLL_S = 0.5


def run_demo(timeout_s: float, replay: Path | None) -> int:
    """0 when an order was filled and its story printed, 1 otherwise. Leaves nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="trade-pipeline-demo-"))
    home = Home.at(folder)
    child = _start(home, replay)
    try:
        order_id = _first_fill(home, child, time.monotonic() + timeout_s)
        if order_id is None:
            hint(f"no order was filled within {timeout_s:.0f} s" if child.poll() is None else "the stack ended")
            return 1
        say(f"\nThe first filled order is {order_id}. Its story:\n")
        show_explanation(folder, order_id, as_json=False)
        return 0
    finally:
        _stop(child)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(home.sockets, ignore_errors=True)


def _start(home: Home, replay: Path | None) -> subprocess.Popen[bytes]:
    # Somebody's shell may carry the environment of another stack: the demo has one of its own.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TRADE_PIPELINE_")}
    environ["TRADE_PIPELINE__EXCHANGE__PORT"] = "0"
    command = [sys.executable, "-m", "trade_pipeline.cli", "up", "--home", str(home.root), "--port", "0"]
    command += ["--replay", str(replay.resolve())] if replay else []
    # A session of its own: Ctrl-C is for us, and we stop it in order.
    return subprocess.Popen(  # noqa: S603  (our own command)
        command, env=environ, stdin=subprocess.DEVNULL, start_new_session=True
    )


def _first_fill(home: Home, child: subprocess.Popen[bytes], deadline: float) -> str | None:
    while time.monotonic() < deadline and child.poll() is None:
        order_id = _filled_order(home)
        if order_id:
            return order_id
        time.sleep(_POLL_S)
    return None


def _filled_order(home: Home) -> str | None:
    try:
        account = settings_in_force(home).account
        with closing(Ledger(secrets_from({}, home).ledger_url)) as ledger:
            fills = [fill for fill in ledger.fills(account) if fill.managed and fill.client_order_id]
    except (LedgerError, SettingsError, json.JSONDecodeError):
        return None
    return fills[-1].client_order_id if fills else None


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
    try:
        child.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
