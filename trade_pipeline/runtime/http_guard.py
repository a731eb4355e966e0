"""An ASGI layer that keeps web pages of others from driving the UI.

The UI has no passwords and listens on the loopback. Without this layer any page open in the user's browser could
launch runs: by a GET with a mutation, by a form's POST, by DNS rebinding, by a websocket, by forged asset reports.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_REPORTS = "/report_asset_"
_WEBSOCKET_REFUSED = 4403


def refusal(scope: Scope, hosts: frozenset[str]) -> str | None:
    """Why this request is refused, in one sentence; None when it may pass. `hosts` are allowed Host values."""
    headers = _headers(scope)
    host = headers.get("host", [""])
    if len(host) != 1 or host[0].lower() not in hosts:
        return "This address is not one under which the UI is served."
    for origin in headers.get("origin", []):
        if not _is_ours(origin, hosts):
            return "Another site's page may not use this UI."
    path = str(scope.get("path", "")).rstrip("/")
    if _REPORTS in path:
        return "Asset reports from outside are not accepted: the gate trusts what runs have stored."
    if scope["type"] == "websocket":
        return None if "origin" in headers else "A websocket must name its origin."
    return _graphql_refusal(str(scope["method"]), headers) if path.endswith("/graphql") else None


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
    """Pure ASGI: no request body is read, and what is allowed passes untouched."""

    def __init__(self, app: App, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reason = refusal(scope, self._hosts) if scope["type"] in ("http", "websocket") else None
        if reason is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _WEBSOCKET_REFUSED, "reason": reason})
        else:
            head = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")]
            await send({"type": "http.response.start", "status": 403, "headers": head})
            await send({"type": "http.response.body", "body": reason.encode()})
