"""Builds ccxt's unmodified client of any exchange of the table, and remembers what was asked and answered last.

ccxt's exceptions drop the status, the headers and which of several requests failed. Those decide what a failure
means, so they are kept here. Nothing here knows what is asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from trade_pipeline.errors import SettingsError
from trade_pipeline.venues.capabilities import capabilities_of
from trade_pipeline.venues.ccxt_clients import quiet_loggers, with_addresses_moved

T = TypeVar("T")

_SPOT_ONLY: Mapping[str, Mapping[str, Any]] = {
    "binance": {"fetchMarkets": {"types": ["spot"]}, "warnOnFetchOpenOrdersWithoutSymbol": False},
    "bybit": {"fetchMarkets": {"types": ["spot"]}},
    "okx": {"fetchMarkets": {"types": ["spot"]}},
    "kucoin": {"fetchMarkets": {"types": ["spot"], "fetchTickersFees": False}},
    "mexc": {"fetchMarkets": {"types": {"spot": True, "swap": {"linear": False, "inverse": False}}}},
}
"""What ccxt would else ask of markets that are not traded here."""


@dataclass(frozen=True)
class UnifiedOptions:
    """How to reach an exchange. `exchange_url` replaces every address of ccxt; None means the exchange's own."""

    exchange: str
    exchange_url: str | None
    timeout_s: float
    api_key: str = ""
    api_secret: str = ""
    passphrase: str = ""
    recv_window_ms: int = 5000
    sandbox: bool = False

    def __repr__(self) -> str:
        return f"UnifiedOptions({self.exchange!r}, exchange_url={self.exchange_url!r}, sandbox={self.sandbox})"


@dataclass
class Heard:
    """The last request of a call, without its address (that is signed), and what came back."""

    method: str = ""
    """GET, POST ...; empty: nothing has left."""
    status: int | None = None
    """None: no answer."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


def unified_client(options: UnifiedOptions, *, throttled: bool) -> Any:
    """ccxt's class of the exchange. `throttled`: by ccxt's own knowledge of the exchange's limits.

    Raises SettingsError: an exchange that is not in the table, or one without a sandbox.
    """
    import ccxt

    known = capabilities_of(options.exchange)
    if options.sandbox and not known.sandbox:
        raise SettingsError(
            "this exchange has no sandbox", thing="venue.sandbox", value=options.exchange, repair="Set it to false"
        )
    client: Any = getattr(ccxt, options.exchange)(
        {
            "apiKey": options.api_key,
            "secret": options.api_secret,
            "password": options.passphrase,
            "timeout": int(options.timeout_s * 1000),
            "enableRateLimit": throttled,
            "maxRetriesOnFailure": 0,
            "options": {
                **_SPOT_ONLY.get(options.exchange, {}),
                "defaultType": "spot",
                "maxRetriesOnFailure": 0,
                "adjustForTimeDifference": False,
                "recvWindow": options.recv_window_ms,
            },
        }
    )
    client.number = str
    client.has["fetchCurrencies"] = False
    if options.exchange == "kraken":
        # Its nonce only has to grow, for the whole key: microseconds collide less often than ccxt's milliseconds.
        client.nonce = lambda: time.time_ns() // 1000
    if options.sandbox:
        client.set_sandbox_mode(True)
    if options.exchange_url is not None:
        client.urls["api"] = with_addresses_moved(client.urls["api"], options.exchange_url)
    quiet_loggers()
    return client


class UnifiedLine:
    """One client, one request at a time: a `requests` session is not safe to share."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.heard = Heard()
        self.requests = 0
        """What the last call has sent: one look-up may ask for several lists."""
        self._lock = threading.RLock()
        self._listen()

    def ask(self, call: Callable[[Any], T]) -> T:
        """`call` gets the client. After an exception `heard` says how far it came."""
        with self._lock:
            self.heard, self.requests = Heard(), 0
            return call(self.client)

    def _listen(self) -> None:
        fetch, handle = self.client.fetch, self.client.handle_errors

        def listening(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            self.heard = Heard(method)
            self.requests += 1
            return fetch(url, method, headers, body)

        def heard(
            code: int, reason: str, url: str, method: str, headers: Any, body: str, response: Any, *rest: Any
        ) -> Any:
            self.heard = Heard(method, code, dict(headers or {}), body or "")
            return handle(code, reason, url, method, headers, body, response, *rest)

        self.client.fetch, self.client.handle_errors = listening, heard
