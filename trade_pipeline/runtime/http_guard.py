"""An ASGI layer that keeps web pages of others, and people without the token, from driving the UI.

Dagster's UI has no passwords and listens on the loopback. Without this layer any page open in the user's browser could
launch runs: by a GET with a mutation, by a form's POST, by DNS rebinding, by a websocket, by forged asset reports.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from trade_pipeline import redaction
from trade_pipeline.runtime.ui_token import LOGIN, Doorkeeper

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]

_REPORTS = "/report_asset_"
_WEBSOCKET_REFUSED = 4403
_ASSETS = (b"text/javascript", b"application/javascript", b"text/css", b"image/", b"font/")
"""Files of the UI's own build: megabytes in which nothing of ours can stand."""
_OTHERS = ("cross-site", "same-site")
"""`same-site` too: a page of another port of this host is of the same site, and its cookies are ours."""
_NOT_ADMITTED = (
    "This UI asks for a token. Open the address that `trade-pipeline up` printed, or run `trade-pipeline ui`;"
    " programs send the token as an Authorization: Bearer header."
)
PROTECTION: RawHeaders = [
    # A page of others that shows the UI in a frame could lead the user's clicks.
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
]


def refusal(scope: Scope, hosts: frozenset[str]) -> str | None:
    """Why this request is refused, in one sentence; None when it may pass. `hosts` are allowed Host values."""
    headers = _headers(scope)
    host = headers.get("host", [""])
    if len(host) != 1 or host[0].lower() not in hosts:
        return "This address is not one under which the UI is served."
    for origin in headers.get("origin", []):
        if not _is_ours(origin, hosts):
            return "Another site's page may not use this UI."
    if _from_other_page(scope, headers):
        return "Another site's page may lead to this UI, but neither load nor show anything of it."
    path = str(scope.get("path", "")).rstrip("/")
    if _REPORTS in path:
        return "Asset reports from outside are not accepted: the gate trusts what runs have stored."
    if scope["type"] == "websocket":
        return None if "origin" in headers else "A websocket must name its origin."
    return _graphql_refusal(str(scope["method"]), headers) if path.endswith("/graphql") else None


def _from_other_page(scope: Scope, headers: dict[str, list[str]]) -> bool:
    """By what browsers say of each request's origin; programs say nothing, and have no user to betray."""
    if not any(value.lower() in _OTHERS for value in headers.get("sec-fetch-site", [])):
        return False
    is_link = headers.get("sec-fetch-mode") == ["navigate"] and headers.get("sec-fetch-dest") == ["document"]
    return not (is_link and scope.get("method") == "GET")


def _graphql_refusal(method: str, headers: dict[str, list[str]]) -> str | None:
    if method != "POST":
        return "GraphQL is answered to POST only: a GET can be sent by any page."
    kinds = headers.get("content-type", [])
    if len(kinds) != 1 or kinds[0].split(";")[0].strip().lower() != "application/json":
        return "GraphQL takes application/json only: other types can be sent by any page."
    return None


def allowed_hosts(names: Iterable[str], port: int) -> frozenset[str]:
    return frozenset(f"{name}:{port}" for name in names)


def _is_ours(origin: str, hosts: frozenset[str]) -> bool:
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.lower() in hosts


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope.get("headers", []):
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


class Guard:
    """Pure ASGI: no request body is read, and what is allowed passes untouched. No `door`: no token is needed."""

    def __init__(self, app: App, hosts: frozenset[str], door: Doorkeeper | None = None) -> None:
        self._app = app
        self._hosts = hosts
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        reason = refusal(scope, self._hosts)
        if reason is not None:
            await _refuse(scope, receive, send, 403, reason)
        elif scope["type"] == "http" and scope.get("path") == LOGIN:
            await self._log_in(scope, receive, send)
        elif self._door is not None and not self._door.admits(_headers(scope)):
            await _refuse(scope, receive, send, 401, _NOT_ADMITTED)
        else:
            await self._app(scope, receive, _protected(send))

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A right token is exchanged for the cookie, and the address that held it is left."""
        shown = parse_qs(bytes(scope.get("query_string", b"")).decode("latin-1")).get("token", [])
        head: RawHeaders = [(b"location", b"/"), (b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer")]
        if self._door is not None:
            if scope["method"] != "GET" or len(shown) != 1 or not self._door.knows(shown[0]):
                await _refuse(scope, receive, send, 401, _NOT_ADMITTED)
                return
            head.append((b"set-cookie", self._door.cookie(shown[0]).encode("latin-1")))
        await send({"type": "http.response.start", "status": 303, "headers": head + PROTECTION})
        await send({"type": "http.response.body", "body": b""})


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": _WEBSOCKET_REFUSED, "reason": reason[:120]})
        return
    head: RawHeaders = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    if status == 401:
        head.append((b"www-authenticate", b'Bearer realm="trade-pipeline"'))
    await send({"type": "http.response.start", "status": status, "headers": head + PROTECTION})
    await send({"type": "http.response.body", "body": reason.encode()})


def _protected(send: Send) -> Send:
    """Adds what tells a browser to keep the UI out of others' pages."""
    ours = {name for name, _ in PROTECTION}
    is_asset = False

    async def send_protected(message: Message) -> None:
        nonlocal is_asset
        if message["type"] == "http.response.start":
            is_asset = any(
                name.lower() == b"content-type" and value.startswith(_ASSETS)
                for name, value in message.get("headers", [])
            )
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in ours]
            message = {**message, "headers": [*kept, *PROTECTION]}
        elif message.get("body") and not is_asset:
            # The last net: answers quote exceptions of this process too, not only what was stored.
            message = {**message, "body": redaction.current().same_length(bytes(message["body"]))}
        await send(message)

    return send_protected
