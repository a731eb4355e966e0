"""The running stack that chaos is done to: its processes, its exchange's switches, its addresses and secrets."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psutil

from trade_pipeline.errors import ConfigurationError
from trade_pipeline.runtime.processes import Process
from trade_pipeline.runtime.supervise import ProcessState, Supervisor
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import Secrets
from trade_pipeline.settings.root import Settings

ANSWER_S = 10.0


@dataclass(frozen=True)
class Subject:
    """A stack in sim mode. Holds secrets."""

    home: Home
    settings: Settings
    secrets: Secrets = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    processes: tuple[Process, ...]
    ui_url: str
    exchange_url: str

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.home)

    def states(self) -> dict[str, ProcessState]:
        """Raises OSError while the supervisor is away."""
        return self.supervisor.states()

    def tree(self, name: str) -> list[psutil.Process]:
        """The live processes of one program: the supervised one and its children."""
        state = self.states().get(name)
        if state is None or not state.process_id:
            return []
        try:
            parent = psutil.Process(state.process_id)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def exchange(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """An answer of the exchange's own switches. Raises OSError."""
        headers = {"X-SIM-TOKEN": self.secrets.exchange_api_secret}
        return _asked(f"{self.exchange_url}{path}", method, body, headers)

    def graphql(self, query: str, variables: Mapping[str, object]) -> Any:
        """What the UI's own page would be answered. Raises OSError, ConfigurationError."""
        headers = {"Authorization": f"Bearer {self.secrets.ui_token}"}
        body = {"query": query, "variables": dict(variables)}
        answer = _asked(f"{self.ui_url}/graphql", "POST", body, headers)
        if answer.get("errors"):
            raise ConfigurationError(str(answer["errors"][0].get("message")), thing="GraphQL")
        return answer["data"]


def _asked(url: str, method: str, body: Mapping[str, object] | None, headers: Mapping[str, str]) -> Any:
    content = json.dumps(dict(body)).encode() if body is not None else None
    request = urllib.request.Request(  # noqa: S310  (our own servers, on the loopback)
        url, data=content, method=method, headers={"Content-Type": "application/json", **headers}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=ANSWER_S) as reply:
        return json.load(reply)
