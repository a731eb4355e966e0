"""One synchronous client of Binance: `binance_trading` has one for orders, and one with a budget of weight to read."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from trade_pipeline.venues.ccxt_clients import ClientOptions, sync_client
from trade_pipeline.venues.rate_budget import RollingWindow
from trade_pipeline.venues.shared_budget import BudgetLine


class BinanceLine:
    """One client with its budget, if any. A `requests` session is not safe to share, so one request at a time."""

    def __init__(self, options: ClientOptions, budget: RollingWindow | BudgetLine | None = None) -> None:
        self.client = sync_client(options)
        self.budget = budget
        self._lock = threading.Lock()

    def ask(self, method: str, params: Mapping[str, Any]) -> Any:
        with self._lock:
            return getattr(self.client, method)(dict(params))
