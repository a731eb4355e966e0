"""The text that a scraper reads, and the route of the webserver under which it reads it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from trade_pipeline.errors import SettingsError
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import secrets_from
from trade_pipeline.settings.root import Settings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

PATH = "/metrics"
TURN_S = 5.0
"""How long a scrape waits for the one before it."""
AT_ONCE_MAX = 2
"""One that is answered and one that waits: several scrapers must not take the threads that serve the UI."""


class Exposition:
    """The metrics of the stack in `home` as text. Safe from any thread; opens nothing before the first scrape.

    `environ` is read at that scrape, for the ledger's address. Nothing of it is told.
    """

    def __init__(self, home: Home, settings: Settings, environ: Mapping[str, str]) -> None:
        self._home, self._settings, self._environ = home, settings, environ
        self.turn = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE_MAX)
        self._registry: CollectorRegistry | None = None

    def text(self, accept: str = "") -> tuple[bytes, str] | None:
        """Body and content type, OpenMetrics where the header `accept` asks for it; None where others go first.

        Raises SettingsError where the ledger's address is none.
        """
        if not self._places.acquire(blocking=False):
            return None
        try:
            if not self.turn.acquire(timeout=TURN_S):
                return None
            try:
                return self._told(accept)
            finally:
                self.turn.release()
        finally:
            self._places.release()

    def _told(self, accept: str) -> tuple[bytes, str]:
        from prometheus_client.exposition import choose_encoder

        if self._registry is None:
            self._registry = self._opened()
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    def _opened(self) -> CollectorRegistry:
        """A registry of its own: the library's default one tells of this process, which is the UI's."""
        from prometheus_client import CollectorRegistry

        from trade_pipeline.ledger.ledger import Ledger
        from trade_pipeline.observe.metrics.collector import StackCollector

        registry = CollectorRegistry()
        ledger = Ledger(secrets_from(self._environ, self._home).ledger_url)
        registry.register(StackCollector(self._home, self._settings, ledger))
        return registry


def metrics_route(exposition: Exposition) -> Route:
    """GET only. Who may read it is decided by the guard around the whole webserver."""

    def answer(request: Request) -> Response:  # not a coroutine: it waits for the database, in a thread of its own
        try:
            told = exposition.text(request.headers.get("accept", ""))
        except SettingsError as error:
            return PlainTextResponse(f"{error}\n", 503)
        if told is None:
            return PlainTextResponse("Other scrapes are being answered.\n", 503, {"retry-after": "5"})
        body, kind = told
        return Response(body, media_type=kind, headers={"cache-control": "no-store"})

    return Route(PATH, answer, methods=["GET"])
