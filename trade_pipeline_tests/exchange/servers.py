"""A real server on a free port, and ccxt's unmodified binance class as its client."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ccxt
import httpx
import uvicorn

from trade_pipeline.exchange.opening import open_exchange
from trade_pipeline.exchange.server.app import make_app
from trade_pipeline.exchange.server.auth import Credentials
from trade_pipeline.exchange.server.context import Context
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import write_settings_in_force
from trade_pipeline.settings.market import SimulatedExchangeSettings
from trade_pipeline.settings.root import Settings

KEY, SECRET = "k" * 32, "s" * 32
OPTIONS = {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False}


@dataclass
class Running:
    url: str
    context: Context
    http: httpx.Client

    def get(self, path: str, **params: object) -> Any:
        return self.http.get(f"/api/v3/{path}", params={k: str(v) for k, v in params.items()}).json()


@contextmanager
def running_server(**settings: Any) -> Iterator[Running]:
    """An exchange in memory, served from a thread."""
    chosen = SimulatedExchangeSettings(**({"history_days": 2, "opening_balances": {"USDT": 10_000}} | settings))
    with serving(open_exchange(None, chosen, Credentials(KEY, SECRET))) as running:
        yield running


@contextmanager
def serving(context: Context) -> Iterator[Running]:
    """That exchange, served from a thread on a free port."""
    server = uvicorn.Server(uvicorn.Config(make_app(context), host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    with httpx.Client(base_url=url, timeout=10) as http:
        yield Running(url, context, http)
    server.should_exit = True
    thread.join(10)


def client(url: str, kind: Any = ccxt.binance, **more: Any) -> Any:
    made = kind(
        {
            "apiKey": KEY,
            "secret": SECRET,
            "options": OPTIONS,
            "enableRateLimit": False,
            "maxRetriesOnFailure": 0,
            **more,
        }
    )
    made.number = str
    for name in ("public", "private", "v1"):
        made.urls["api"][name] = f"{url}/api/v3"
    return made


def home_with_settings(folder: Path, port: int, **settings: Any) -> Home:
    home = Home.at(folder)
    chosen = SimulatedExchangeSettings(**({"history_days": 2, "port": port} | settings))
    write_settings_in_force(home, Settings(exchange=chosen))
    return home


def start_process(home: Home) -> subprocess.Popen[str]:
    environment = os.environ | {
        "TRADE_PIPELINE_EXCHANGE_API_KEY": KEY,
        "TRADE_PIPELINE_EXCHANGE_API_SECRET": SECRET,
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
    command = [sys.executable, "-m", "trade_pipeline.exchange", "--home", str(home.root)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def wait_until_ready(process: subprocess.Popen[str], url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr and process.stderr.read()
        try:
            httpx.get(f"{url}/api/v3/ping", timeout=1)
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(url)
