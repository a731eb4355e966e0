"""The guarded UI over real HTTP and websockets: what a browser's own page may do, and what others may not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from dagster._core.test_utils import instance_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget

from trade_pipeline import redaction
from trade_pipeline.redaction import Redactor
from trade_pipeline.runtime.http_guard import allowed_hosts, refusal
from trade_pipeline.runtime.webserver import GuardedWebserver

JSON = {"content-type": "application/json"}
ASK = {"query": "{ version }"}
HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: graphql-ws\r\n{origin}\r\n"
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with (
        instance_for_test() as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
    ):
        app = GuardedWebserver(context, allowed_hosts(["127.0.0.1", "localhost"], port)).create_asgi_app()
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        yield f"127.0.0.1:{port}"
        server.should_exit = True
        thread.join(20)


def test_the_ui_s_own_page_is_served_and_may_ask(address: str) -> None:
    assert httpx.get(f"http://{address}/server_info").status_code == 200
    assert "<html" in httpx.get(f"http://{address}/").text
    own = {**JSON, "origin": f"http://{address}"}
    assert "version" in httpx.post(f"http://{address}/graphql", json=ASK, headers=own).json()["data"]


def test_localhost_is_a_name_of_ours(address: str) -> None:
    host = f"localhost:{address.split(':')[1]}"
    assert httpx.post(f"http://{address}/graphql", json=ASK, headers={"host": host}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_a_mutation_by_another_method_is_refused(address: str, method: str) -> None:
    answer = httpx.request(method, f"http://{address}/graphql", params={"query": "mutation { x }"})
    assert answer.status_code == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_of_another_page_can_send_is_refused(address: str, kind: str) -> None:
    answer = httpx.post(
        f"http://{address}/graphql", content=b'{"query": "{ version }"}', headers={"content-type": kind}
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_another_page_s_origin_is_refused(address: str, origin: str) -> None:
    answer = httpx.post(f"http://{address}/graphql", json=ASK, headers={"origin": origin})
    assert answer.status_code == 403


def test_a_name_that_was_rebound_to_us_is_refused(address: str) -> None:
    assert httpx.get(f"http://{address}/", headers={"host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("report", ["materialization", "check", "observation"])
@pytest.mark.parametrize("prefix", ["", "/"])
def test_forged_reports_are_refused(address: str, report: str, prefix: str) -> None:
    answer = httpx.post(f"http://{address}{prefix}/report_asset_{report}/targets", json={})
    assert answer.status_code == 403


def _websocket(address: str, origin: str) -> str:
    host, port = address.split(":")
    line = f"Origin: {origin}\r\n" if origin else ""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(HANDSHAKE.format(host=address, origin=line).encode())
        return connection.recv(200).decode().splitlines()[0]


def test_a_websocket_of_our_page_opens_and_others_do_not(address: str) -> None:
    assert " 101 " in _websocket(address, f"http://{address}")
    assert " 403 " in _websocket(address, "http://evil.example")
    assert " 403 " in _websocket(address, "")


def test_two_hosts_or_two_content_types_are_no_way_around() -> None:
    hosts = allowed_hosts(["localhost"], 3000)
    base = {"type": "http", "method": "POST", "path": "/graphql"}
    host, json = (b"host", b"localhost:3000"), (b"content-type", b"application/json")
    assert refusal({**base, "headers": [host, json]}, hosts) is None
    assert refusal({**base, "headers": [host, (b"host", b"evil"), json]}, hosts)
    assert refusal({**base, "headers": [host, json, (b"content-type", b"text/plain")]}, hosts)
    assert refusal({**base, "path": "/graphql/", "headers": [host]}, hosts)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_may_lead_here_but_load_and_show_nothing(address: str, site: str) -> None:
    link = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert httpx.get(f"http://{address}/runs", headers=link).status_code == 200
    for dest in ("iframe", "image", "script", "empty"):
        shown = {**link, "sec-fetch-dest": dest}
        assert httpx.get(f"http://{address}/runs", headers=shown).status_code == 403
    assert httpx.post(f"http://{address}/runs", headers=link).status_code == 403


def test_every_answer_keeps_the_ui_out_of_frames(address: str) -> None:
    for path, status in (("/", 200), ("/graphql", 403), ("/login", 303)):
        answer = httpx.get(f"http://{address}{path}")
        assert answer.status_code == status
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_an_answer_that_quotes_a_secret_is_sent_without_it(address: str) -> None:
    before = redaction.current()
    redaction.use(Redactor(["hunter2hunter2"]))
    try:
        answer = httpx.post(f"http://{address}/graphql", json={"query": "{ hunter2hunter2 }"})
    finally:
        redaction.use(before)
    assert "errors" in answer.json()
    assert "hunter2" not in answer.text
    assert "**************" in answer.text
