"""A small HTTP server that answers what a test tells it to: ccxt's real classes talk to it over real sockets.

It judges nothing and matches nothing; the simulated exchange does that.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SERVER_TIME_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Answer:
    """One scripted answer. `cut` closes the connection without a word; `delay_s` holds the answer back."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    delay_s: float = 0.0


def refusal(code: int, message: str, status: int = 400, **headers: str) -> Answer:
    """An error as Binance words it."""
    return Answer({"code": code, "msg": message}, status, {name.replace("_", "-"): v for name, v in headers.items()})


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    params: dict[str, str]
    api_key: str | None


def listed(name: str = "BTCUSDT", base: str = "BTC", **changes: Any) -> dict[str, Any]:
    """One symbol of exchangeInfo with the filters that orders depend on."""
    return {
        "symbol": name,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": "USDT",
        "quotePrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"],
        "isSpotTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001000"},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "120.5", "stepSize": "0"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
        ],
        **changes,
    }


class ScriptedExchange:
    """Use as a context manager. `script[(method, endpoint)]` holds answers in turn; the last one stays."""

    def __init__(self) -> None:
        self.script: dict[tuple[str, str], deque[Answer]] = defaultdict(deque)
        self.seen: list[Seen] = []
        self.released = threading.Event()
        self.says("GET", "time", Answer({"serverTime": SERVER_TIME_MS}))
        self.says("GET", "exchangeInfo", Answer({"symbols": [listed(), listed("ETHUSDT", "ETH")]}))
        account = {"commissionRates": {"maker": "0.0007", "taker": "0.0009"}, "balances": []}
        self.says("GET", "account", Answer(account))
        exchange = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                exchange.handle(self)

            do_GET = do_POST = do_DELETE = _answer  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                """Tests are quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> ScriptedExchange:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def says(self, method: str, endpoint: str, *answers: Answer) -> None:
        self.script[(method, endpoint)] = deque(answers)

    def asked(self, method: str, endpoint: str) -> list[Seen]:
        """What was asked of an endpoint so far, in order."""
        return [seen for seen in self.seen if (seen.method, seen.path) == (method, endpoint)]

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        endpoint = parts.path.removeprefix("/api/v3/")
        params = dict(parse_qsl(parts.query) + parse_qsl(body))
        self.seen.append(Seen(handler.command, endpoint, params, handler.headers.get("X-MBX-APIKEY")))
        answers = self.script[(handler.command, endpoint)]
        answer = refusal(-1102, f"nothing scripted for {handler.command} {endpoint}")
        if answers:
            answer = answers.popleft() if len(answers) > 1 else answers[0]
        if answer.delay_s:
            self.released.wait(answer.delay_s)
        if answer.cut:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        content = answer.body.encode() if isinstance(answer.body, str) else json.dumps(answer.body).encode()
        handler.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
