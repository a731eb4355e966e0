"""Builds ccxt's unmodified `binance` clients and keeps them per process.

Nothing here knows what is asked. Clients are made at first use and again after a fork: a pool of connections, a
lock or an event loop's thread must not be shared with the parent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from trade_pipeline.venues.error_map import HttpAnswer, without_secrets
from trade_pipeline.venues.shared_budget import BudgetLine

T = TypeVar("T")

WEIGHT_PER_MINUTE = 6000
"""Binance's limit of request weight per address."""
WEIGHT_PER_UNIT = 5
"""ccxt counts in units of the old limit: 1,200 a minute stand for 6,000."""
NEW_ORDER_FAILED = -2021
KEEPALIVE_S = 75.0
"""Longer than a bar: the next bar's reads find their connections open."""


@dataclass(frozen=True)
class ClientOptions:
    """How to reach the exchange. `exchange_url` replaces every address of ccxt; None means the real one."""

    exchange_url: str | None
    timeout_s: float
    api_key: str = ""
    api_secret: str = ""
    recv_window_ms: int = 5000

    def __repr__(self) -> str:
        return f"ClientOptions(exchange_url={self.exchange_url!r}, timeout_s={self.timeout_s})"


def sync_client(options: ClientOptions) -> Any:
    """A client for orders. Its own throttle is off, because it knows only the leaky bucket: see `rate_budget`."""
    import ccxt

    return _prepared(ccxt.binance({**_config(options), "enableRateLimit": False}), options)


def async_client(options: ClientOptions, *, weight_per_minute: float = WEIGHT_PER_MINUTE) -> Any:
    """A client for batches of reads, throttled by ccxt's rolling window with the true limit."""
    import ccxt.async_support

    config = {
        **_config(options),
        "enableRateLimit": True,
        "rateLimiterAlgorithm": "rollingWindow",
        "rollingWindowSize": 60_000,
        "rateLimit": 60_000 * WEIGHT_PER_UNIT / weight_per_minute,
    }
    return _prepared(ccxt.async_support.binance(config), options)


def _config(options: ClientOptions) -> dict[str, Any]:
    return {
        "apiKey": options.api_key,
        "secret": options.api_secret,
        "timeout": int(options.timeout_s * 1000),
        "maxRetriesOnFailure": 0,
        "options": {
            "fetchMarkets": {"types": ["spot"]},
            "fetchCurrencies": False,
            "maxRetriesOnFailure": 0,
            "adjustForTimeDifference": False,  # resynchronised here on ClockSkew, not at every market load
            "recvWindow": options.recv_window_ms,
            "defaultType": "spot",
        },
    }


def _prepared(client: Any, options: ClientOptions) -> Any:
    client.number = str
    client.has["fetchCurrencies"] = False
    if options.exchange_url is not None:
        client.urls["api"] = with_addresses_moved(client.urls["api"], options.exchange_url)
    original = client.handle_errors

    def handle_errors(
        code: int, reason: str, url: str, method: str, headers: Any, body: str, response: Any, *rest: Any
    ) -> Any:
        # ccxt's exceptions drop the status and Retry-After, which decide what a failure means.
        refusal = refusal_in(code, headers or {}, body, response)
        if refusal is not None:
            raise refusal
        return original(code, reason, url, method, headers, body, response, *rest)

    client.handle_errors = handle_errors
    quiet_loggers()
    return client


def quiet_loggers() -> None:
    """At DEBUG ccxt and its transport log signed addresses and the key's header."""
    for name in ("ccxt", "urllib3"):
        logger = logging.getLogger(name)
        if logger.level < logging.INFO:
            logger.setLevel(logging.INFO)


def with_addresses_moved(addresses: Any, exchange_url: str) -> Any:
    """The same paths below `exchange_url`. Every section moves, so that no call can reach a real exchange."""
    if isinstance(addresses, dict):
        return {name: with_addresses_moved(address, exchange_url) for name, address in addresses.items()}
    return exchange_url.rstrip("/") + urlsplit(addresses).path if isinstance(addresses, str) else addresses


def refusal_in(status: int, headers: Mapping[str, str], body: str, response: Any) -> HttpAnswer | None:
    """The answer as an exception when it is no success: a status of 400 and above, or a negative code."""
    code, message = None, without_secrets(body or "")
    if isinstance(response, dict) and "code" in response and "msg" in response:
        try:
            code = int(response["code"])
        except (TypeError, ValueError):
            code = None
        code, message = _of_the_new_order(code, without_secrets(str(response["msg"])), response.get("data"))
    if status < 400 and (code is None or code >= 0):
        return None
    return HttpAnswer(status, code, message, retry_after_s(headers))


def _of_the_new_order(code: int | None, message: str, data: Any) -> tuple[int | None, str]:
    """A cancel-replace that only cancelled says so with -2021; why there is no new order is further inside."""
    inner = data.get("newOrderResponse") if code == NEW_ORDER_FAILED and isinstance(data, dict) else None
    if not isinstance(inner, dict):
        return code, message
    try:
        return int(inner["code"]), without_secrets(str(inner.get("msg")))
    except (KeyError, TypeError, ValueError):
        return code, message


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    for name, value in headers.items():
        if name.lower() == "retry-after":
            try:
                return max(float(value), 0.0)
            except ValueError:
                return None
    return None


class PerProcess(Generic[T]):
    """A value made at first use in each process. What a parent made is never touched again in its child."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._pid = -1
        self._lock = threading.Lock()
        self._value: T | None = None
        self._inherited: list[T] = []

    def get(self) -> T:
        if self._pid != os.getpid():
            self._leave_the_parents()
        with self._lock:
            if self._value is None:
                self._value = self._make()
            return self._value

    def take(self) -> T | None:
        """The value of this process, forgotten here; None where none was made."""
        if self._pid != os.getpid():
            return None
        with self._lock:
            value, self._value = self._value, None
            return value

    def _leave_the_parents(self) -> None:
        # Kept but unused: collecting it would close what the parent still uses.
        if self._value is not None:
            self._inherited.append(self._value)
        self._value, self._lock, self._pid = None, threading.Lock(), os.getpid()


class LoopedClient:
    """An async client with the event loop that it lives in, run by one daemon thread."""

    def __init__(
        self,
        options: ClientOptions,
        *,
        weight_per_minute: float,
        connections_max: int,
        budget: BudgetLine | None = None,
    ) -> None:
        """`budget` replaces ccxt's own throttle, which knows this process only."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="venue-reads", daemon=True)
        self._thread.start()
        self.client: Any = self.run(self._open(options, weight_per_minute, connections_max))
        if budget is not None:

            async def throttle(cost: float | None = None) -> None:
                await budget.throttle(1.0 if cost is None else cost, WEIGHT_PER_UNIT)

            self.client.throttle = throttle

    @staticmethod
    async def _open(options: ClientOptions, weight_per_minute: float, connections_max: int) -> Any:
        import aiohttp

        client = async_client(options, weight_per_minute=weight_per_minute)
        client.open()
        own = client.session
        connector = aiohttp.TCPConnector(
            limit=connections_max, keepalive_timeout=KEEPALIVE_S, ssl=client.ssl_context or False
        )
        client.session = aiohttp.ClientSession(connector=connector)
        client.tcp_connector = connector
        await own.close()
        return client

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the loop and wait for it. Each request inside has its own time limit."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self.client.timeout_on_exit = 0
        self.run(self.client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self._loop.close()


def tell_time(milliseconds: Callable[[], int]) -> None:
    """Every client of this process dates its requests by this clock: for measurements in virtual time."""
    from ccxt.base.exchange import Exchange

    Exchange.milliseconds = staticmethod(milliseconds)
