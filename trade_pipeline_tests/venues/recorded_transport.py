"""ccxt's real classes over a transport that sends nothing: they sign, address and parse for real.

It stands at the very bottom, in place of the sockets of `requests`, so a test sees the method, path and fields
that would have left, and feeds what the exchange documents as its answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import BaseAdapter

from trade_pipeline.venues.unified_client import UnifiedOptions, unified_client

NAMES = {
    "binance": "BTCUSDT",
    "kraken": "XBTUSDT",
    "bybit": "BTCUSDT",
    "okx": "BTC-USDT",
    "coinbase": "BTC-USDT",
    "kucoin": "BTC-USDT",
    "mexc": "BTCUSDT",
}

NOW_MS = 1_700_000_100_000

ASKED_BY_CCXT_ITSELF: dict[str, Any] = {
    "/v5/user/query-api": {"retCode": 0, "result": {"uta": 1, "unified": 0}},
    "/v5/account/info": {"retCode": 0, "result": {"unifiedMarginStatus": 6}},
    "/api/ua/v1/account/mode": {"code": "200000", "data": {"selfAccountMode": "CLASSIC"}},
}
"""Before its first private request ccxt asks some exchanges for the kind of account."""


@dataclass(frozen=True)
class Sent:
    method: str
    path: str
    fields: dict[str, Any]
    headers: dict[str, str]


@dataclass(frozen=True)
class Failure:
    """An answer that is no success; `status` 0 is a cut connection."""

    status: int
    body: str = ""


class RecordedTransport(BaseAdapter):
    """Answers by the end of the path, or by method and end of the path: "GET /api/v3/order" goes before the other.

    An answer may be a function of the fields that were sent.
    """

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__()
        self.answers = {**ASKED_BY_CCXT_ITSELF, **answers}
        self.sent: list[Sent] = []
        self.asked_by_ccxt: list[str] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        body = request.body.decode() if isinstance(request.body, bytes) else str(request.body or "")
        fields: dict[str, Any] = dict(parse_qsl(parts.query))
        if body.startswith(("{", "[")):
            read = json.loads(body)
            fields.update(read[0] if isinstance(read, list) else read)
        else:
            fields.update(parse_qsl(body))
        if parts.path in ASKED_BY_CCXT_ITSELF:
            self.asked_by_ccxt.append(parts.path)
        else:
            self.sent.append(Sent(str(request.method), parts.path, fields, _texts(request.headers)))
        answer = self._answer_to(str(request.method), parts.path)
        if callable(answer):
            answer = answer(fields)
        if isinstance(answer, Failure) and answer.status == 0:
            raise requests.ConnectionError("Connection aborted.", ConnectionResetError("reset by peer"))
        response = requests.Response()
        response.status_code = answer.status if isinstance(answer, Failure) else 200
        text = answer.body if isinstance(answer, Failure) else json.dumps(answer)
        response._content = text.encode()
        response.headers["Content-Type"] = "application/json"
        response.request, response.url, response.reason = request, str(request.url), "recorded"
        return response

    def _answer_to(self, method: str, path: str) -> Any:
        exact = (value for key, value in self.answers.items() if _asks(key, method) and path.endswith(key.split()[1]))
        plain = (value for key, value in self.answers.items() if " " not in key and path.endswith(key))
        return next(exact, None) or next(plain, Failure(599))

    def close(self) -> None:
        """There is nothing to close."""


def _asks(key: str, method: str) -> bool:
    return key.startswith(f"{method} ")


def _texts(headers: Mapping[str, str | bytes]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value.decode() for name, value in headers.items()}


def recorded(exchange: str, answers: dict[str, Any]) -> tuple[Any, RecordedTransport]:
    """A client of ccxt's own class that knows BTC/USDT, and what it sent so far."""
    client = unified_client(UnifiedOptions(exchange, None, 1.0, "k", "c2VjcmV0c2VjcmV0c2VjcmV0", "p"), throttled=False)
    client.milliseconds = lambda: NOW_MS
    client.set_markets(
        [
            client.safe_market_structure(
                {
                    "id": NAMES[exchange],
                    "symbol": "BTC/USDT",
                    "base": "BTC",
                    "quote": "USDT",
                    "baseId": "BTC",
                    "quoteId": "USDT",
                    "spot": True,
                    "type": "spot",
                    "active": True,
                    "maker": "0.001",
                    "taker": "0.001",
                    "precision": {"amount": "0.00001", "price": "0.01"},
                    "limits": {"amount": {"min": "0.00001"}},
                    "info": {"orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"]},
                }
            )
        ]
    )
    transport = RecordedTransport(answers)
    client.session.mount("https://", transport)
    client.session.mount("http://", transport)
    return client, transport
