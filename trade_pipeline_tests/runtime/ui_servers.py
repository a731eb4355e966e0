"""Real UIs on real ports for tests: ours behind its guard, and the stock one beside it; and a page of somebody else."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster_webserver.webserver import DagsterWebserver
from starlette.routing import BaseRoute

from trade_pipeline.runtime.http_guard import allowed_hosts
from trade_pipeline.runtime.ui_token import Doorkeeper
from trade_pipeline.runtime.webserver import GuardedWebserver
from trade_pipeline.settings.tokens import reader_token

Server = DagsterWebserver[Any, Any]


@contextmanager
def served(make: Callable[[int], Server]) -> Iterator[int]:
    """The port of a webserver that runs in a thread; `make` is told the port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = int(listener.getsockname()[1])
    app = make(port).create_asgi_app()
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def guarded_ui(
    context: WorkspaceProcessContext,
    token: str = "",
    reading: bool = False,
    docs: Path | None = None,
    beside: Sequence[BaseRoute] = (),
) -> Iterator[int]:
    def make(port: int) -> Server:
        tokens = (token, reader_token(token)) if reading else (token,)
        door = Doorkeeper(tokens, port) if token else None
        return GuardedWebserver(context, allowed_hosts(["127.0.0.1", "localhost"], port), door, docs, beside)

    with served(make) as port:
        yield port


@contextmanager
def stock_ui(context: WorkspaceProcessContext) -> Iterator[int]:
    with served(lambda _: DagsterWebserver(context, "", 2000)) as port:
        yield port


@contextmanager
def somebody_elses_page(html: str) -> Iterator[int]:
    """Serves one page on a port of the loopback, as any program or web site could."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = html.encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
