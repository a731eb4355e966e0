"""The simulated exchange as a process of its own in a temporary home, for tests that trade through real HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import write_settings_in_force
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline.venues.binance_trading import BinanceTrading

KEY, SECRET = "test-key-0123456789", "test-secret-0123456789"
READY_S_MAX = 30.0


@dataclass(frozen=True)
class RunningExchange:
    home: Home
    settings: Settings
    url: str

    def trading(self) -> BinanceTrading:
        return BinanceTrading(self.url, KEY, SECRET, request_timeout_s=2.0, order_requests_per_s_max=100)

    def market_data(self) -> BinanceMarketData:
        return BinanceMarketData(self.url, self.settings.market)

    def fault(self, kind: str, **fields: object) -> None:
        """Break the exchange on purpose, as its /sim/faults describes."""
        self._simulation("POST", "/sim/faults", {"kind": kind, **fields})

    def heal(self) -> None:
        self._simulation("DELETE", "/sim/faults", None)

    def _simulation(self, method: str, path: str, body: object) -> None:
        request = urllib.request.Request(
            self.url + path, None if body is None else json.dumps(body).encode(), {"X-SIM-TOKEN": SECRET}, method=method
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status == 200


@contextmanager
def running_exchange(root: Path, **exchange: object) -> Iterator[RunningExchange]:
    """Start one on a free port, wait until it answers, stop it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = Home.at(root)
    values = {"port": port, "symbols": 3, "history_days": 1, **exchange}
    settings = Settings.model_validate({"home": str(root), "exchange": values})
    write_settings_in_force(home, settings)
    environ = {
        **os.environ,
        "TRADE_PIPELINE_EXCHANGE_API_KEY": KEY,
        "TRADE_PIPELINE_EXCHANGE_API_SECRET": SECRET,
    }
    command = [sys.executable, "-m", "trade_pipeline.exchange", "--home", str(root)]
    process = subprocess.Popen(command, env=environ)
    try:
        url = f"http://127.0.0.1:{port}"
        _await_ready(process, url)
        yield RunningExchange(home, settings, url)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _await_ready(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + READY_S_MAX
    while time.monotonic() < deadline:
        assert process.poll() is None, "the exchange ended before it answered"
        try:
            with urllib.request.urlopen(f"{url}/api/v3/ping", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError("the exchange did not answer in time")
