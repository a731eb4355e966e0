"""The simulated exchange as a process of its own in a temporary home, for tests that trade through real HTTP."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trade_pipeline.runtime.throwaway_exchange import throwaway_exchange
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline.venues.binance_trading import BinanceTrading

KEY, SECRET = "test-key-0123456789", "test-secret-0123456789"


@dataclass(frozen=True)
class RunningExchange:
    home: Home
    settings: Settings
    url: str

    def trading(self) -> BinanceTrading:
        return BinanceTrading(self.url, KEY, SECRET, request_timeout_s=2.0)

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
    with throwaway_exchange(root, (KEY, SECRET), **{"symbols": 3, "history_days": 1, **exchange}) as running:
        yield RunningExchange(running.home, running.settings, running.url)
