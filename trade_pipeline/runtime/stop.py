"""How a stack is stopped: no more decisions, then the stop policy, then what remains is told, then everything ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from trade_pipeline.errors import TradePipelineError
from trade_pipeline.runtime.home_lock import holder_of
from trade_pipeline.runtime.remaining import apply_policy, what_remains
from trade_pipeline.runtime.stack import Stack
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import write_private
from trade_pipeline.settings.root import Settings
from trade_pipeline.settings.trading import StopPolicy

DECIDERS = (
    "daemon",
    "webserver",
    "webserver_read_only",
    "worker_decide",
    "worker_execute",
    "worker_history",
    "code_server",
    "code_server_research",
)
_POLICIES: tuple[StopPolicy, ...] = ("keep", "cancel_entries", "flatten")
_DOWN_S = 120.0


class Stopper:
    """Signals during the stop change nothing: every step of it is bounded."""

    def __init__(self, stack: Stack, home: Home, settings: Settings, report: Callable[[str], None]) -> None:
        self._stack = stack
        self._home = home
        self._settings = settings
        self._report = report

    def run(self, policy: StopPolicy) -> None:
        """The guard and the exchange stay until the policy has run: stops must rest while entries are cancelled."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._report(f"stopping (policy: {policy})")
        try:
            self._stack.stop(DECIDERS)
            if self._trades():
                apply_policy(policy, self._home, self._settings, self._report)
                for line in what_remains(self._home, self._settings):
                    self._report(line)
        except TradePipelineError as error:
            self._report(f"the stop policy could not be carried out: {error}")
        finally:
            self._stack.stop_all()
            remove_sockets(self._home)

    def _trades(self) -> bool:
        if self._settings.mode == "live":
            return True
        state = self._stack.states().get("exchange")
        return state is not None and state.alive


def remove_sockets(home: Home) -> None:
    """The sockets live in the temporary directory, outside the home: nothing else would ever remove them."""
    shutil.rmtree(home.sockets, ignore_errors=True)


def request_stop(home: Home, policy: StopPolicy | None) -> bool:
    """Asks the `up` of this home to stop and waits for it. False when none runs."""
    process_id = holder_of(home)
    if process_id is None:
        return False
    if policy is not None:
        text = json.dumps({"policy": policy, "at": datetime.now(UTC).isoformat()})
        write_private(_request_file(home), text + "\n")
    os.kill(process_id, signal.SIGTERM)
    deadline = time.monotonic() + _DOWN_S
    while holder_of(home) is not None and time.monotonic() < deadline:
        time.sleep(0.1)
    return True


def take_stop_request(home: Home) -> StopPolicy | None:
    """The policy that `down` asked for, once."""
    path = _request_file(home)
    try:
        asked = json.loads(path.read_text())["policy"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    finally:
        path.unlink(missing_ok=True)
    return next((policy for policy in _POLICIES if policy == asked), None)


def _request_file(home: Home) -> Path:
    return home.control / "stop.json"
