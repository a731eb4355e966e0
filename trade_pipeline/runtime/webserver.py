"""Dagster's UI behind our guard, and what else is served on its address. `observe.webserver` is run as a process."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Collection, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from graphql import ASTValidationRule, GraphQLError, OperationDefinitionNode, OperationType
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from trade_pipeline.errors import SettingsError
from trade_pipeline.runtime.environment import REPOSITORY
from trade_pipeline.runtime.http_guard import Guard, allowed_hosts
from trade_pipeline.runtime.ui_token import Doorkeeper
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import secrets_from, settings_in_force
from trade_pipeline.settings.protect import protect_from_environment
from trade_pipeline.settings.tokens import reader_token

_POLL_MS = 2000
_STATEMENT_TIMEOUT_MS = 15_000
_POOL_RECYCLE_S = 3600
_POOL_OVERFLOW = 20
DATA_DOCS = "/data_docs"
_STATIC = (
    "sandbox allow-same-origin allow-popups; default-src 'none'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'"
)
_NO_AUDIT_YET = """<!doctype html><meta charset="utf-8"><title>No audit yet</title>
<h1>No audit yet</h1>
<p>The first one comes at 01:30 UTC, for the day that is over by then.</p>
<p>To have one now, <a href="/assets/lake_audit">materialise a past day of the asset lake_audit</a>.</p>
"""


class QueriesOnly(ASTValidationRule):
    """Refuses every mutation, before it is executed: Dagster's own permissions do not cover all of them."""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        if node.operation is OperationType.MUTATION:
            self.report_error(GraphQLError("This UI is read-only.", node))


class DataDocs(StaticFiles):
    """Pages of the audit. They name scripts and styles on the internet: here no page of them runs or loads anything
    that is not ours, because it stands on the UI's own address."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, html=True, check_dir=False)
        self._index = folder / "index.html"

    async def check_config(self) -> None:
        """Nothing: the folder is made by the first audit, and starlette raises where there is none."""

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        try:
            answer = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or self._index.exists():
                raise
            answer = HTMLResponse(_NO_AUDIT_YET, status_code=404)
        answer.headers["content-security-policy"] = _STATIC
        return answer


class GuardedWebserver(DagsterWebserver[Any, Any]):
    """Dagster's webserver, of which only the outermost layer is ours. A read-only context gives a read-only twin."""

    def __init__(
        self,
        context: WorkspaceProcessContext,
        hosts: frozenset[str],
        door: Doorkeeper | None = None,
        docs: Path | None = None,
        beside: Sequence[BaseRoute] = (),
    ) -> None:
        self._hosts = hosts
        self._door = door
        self._docs = docs
        self._beside = beside
        self._read_only = context.read_only
        super().__init__(context, "", _POLL_MS)

    def build_middleware(self) -> list[Middleware]:
        return [Middleware(Guard, hosts=self._hosts, door=self._door), *super().build_middleware()]

    def build_routes(self) -> list[BaseRoute]:
        docs = [] if self._docs is None else [Mount(DATA_DOCS, DataDocs(self._docs))]
        return [*self._beside, *docs, *super().build_routes()]  # type: ignore[no-untyped-call]

    def build_graphql_validation_rules(self) -> Collection[type[ASTValidationRule]]:
        rules = super().build_graphql_validation_rules()
        return [*rules, QueriesOnly] if self._read_only else rules


def door_of(home: Home, port: int, *, read_only: bool) -> Doorkeeper | None:
    """The door of the stack in `home`; None where no token is asked for. Raises SettingsError when there is none."""
    settings = settings_in_force(home)
    if not settings.token_required:
        return None
    token = secrets_from(os.environ, home).ui_token
    if not token:
        raise SettingsError(
            "the UI's token is missing",
            thing="TRADE_PIPELINE_UI_TOKEN",
            repair="Start the stack with `trade-pipeline up`, which makes one.",
        )
    return Doorkeeper((token, reader_token(token)) if read_only else (token,), port)


def serve(
    port: int,
    address: str,
    names: list[str],
    home: Home,
    beside: Sequence[BaseRoute],
    *,
    door: Doorkeeper | None,
    read_only: bool,
) -> None:
    """Serves until told to stop. `names` are host names of the UI, `beside` are further routes."""
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_S, _POOL_OVERFLOW)
        target = WorkspaceFileTarget(paths=[str(REPOSITORY / "workspace.yaml")])
        with WorkspaceProcessContext(instance, target, version=__version__, read_only=read_only) as context:
            docs = home.audit / "data_docs"
            app = GuardedWebserver(context, allowed_hosts(names, port), door, docs, beside).create_asgi_app()
            # An open page holds a websocket: a stop must not wait for the browser. No access log: the first
            # address that is opened holds the token.
            uvicorn.run(
                app, host=address, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=1
            )


def main(beside: Callable[[Home], Sequence[BaseRoute]]) -> None:
    """`beside` makes the routes that are served on the same address, behind the same guard."""
    parser = argparse.ArgumentParser(description="Dagster's UI behind a guard against other sites' pages.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--read-only", action="store_true", help="show everything, change nothing")
    parser.add_argument("--address", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--name", action="append", default=[], help="a further host name of the UI")
    arguments = parser.parse_args()
    protect_from_environment()
    names = ["127.0.0.1", "localhost", *arguments.name]
    home = Home.at(os.environ["TRADE_PIPELINE_HOME"])
    door = door_of(home, arguments.port, read_only=arguments.read_only)
    serve(arguments.port, arguments.address, names, home, beside(home), door=door, read_only=arguments.read_only)
