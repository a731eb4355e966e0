"""Dagster's UI behind our guard. Run as `python -m trade_pipeline.runtime.webserver --port N`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware

from trade_pipeline.runtime.environment import REPOSITORY
from trade_pipeline.runtime.http_guard import Guard, allowed_hosts

_POLL_MS = 2000
_STATEMENT_TIMEOUT_MS = 15_000
_POOL_RECYCLE_S = 3600
_POOL_OVERFLOW = 20


class GuardedWebserver(DagsterWebserver[Any, Any]):
    """Dagster's webserver, of which only the outermost layer is ours."""

    def __init__(self, context: WorkspaceProcessContext, hosts: frozenset[str]) -> None:
        self._hosts = hosts
        super().__init__(context, "", _POLL_MS)

    def build_middleware(self) -> list[Middleware]:
        return [Middleware(Guard, hosts=self._hosts), *super().build_middleware()]


def serve(port: int, address: str, names: list[str], workspace: Path) -> None:
    """Serves until told to stop. `names` are host names under which the UI may be addressed."""
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_S, _POOL_OVERFLOW)
        target = WorkspaceFileTarget(paths=[str(workspace)])
        with WorkspaceProcessContext(instance, target, version=__version__) as context:
            app = GuardedWebserver(context, allowed_hosts(names, port)).create_asgi_app()
            # An open page holds a websocket: a stop must not wait for the browser.
            uvicorn.run(app, host=address, port=port, log_level="warning", timeout_graceful_shutdown=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Dagster's UI behind a guard against other sites' pages.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--address", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--name", action="append", default=[], help="a further host name of the UI")
    arguments = parser.parse_args()
    names = ["127.0.0.1", "localhost", *arguments.name]
    serve(arguments.port, arguments.address, names, REPOSITORY / "workspace.yaml")


if __name__ == "__main__":
    main()
