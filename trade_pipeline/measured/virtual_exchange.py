"""`python -m trade_pipeline.measured.virtual_exchange HOME CLOCK`: the simulated exchange under a virtual clock."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from trade_pipeline.exchange.opening import open_exchange
from trade_pipeline.exchange.server.app import make_app
from trade_pipeline.exchange.server.auth import Credentials
from trade_pipeline.measured.virtual_clock import VirtualClock
from trade_pipeline.runtime.throwaway_exchange import await_ready
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import secrets_from, settings_in_force


@contextmanager
def virtual_exchange(home: Home, clock: Path, port: int, environ: Mapping[str, str]) -> Iterator[int]:
    """Its process id, once it answers; ended afterwards. Raises ConfigurationError where it does not."""
    command = [sys.executable, "-m", "trade_pipeline.measured.virtual_exchange", str(home.root), str(clock)]
    with (home.logs / "exchange.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **environ}, stdout=log, stderr=log)  # noqa: S603  ours
    try:
        await_ready(process, f"http://127.0.0.1:{port}")
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)


def main(arguments: Sequence[str]) -> int:
    home, clock = Home.at(arguments[0]), VirtualClock(Path(arguments[1]))
    settings, secrets = settings_in_force(home), secrets_from(os.environ, home)
    assert secrets.exchange_api_key and secrets.exchange_api_secret, "given by who starts us"
    credentials = Credentials(secrets.exchange_api_key, secrets.exchange_api_secret)
    context = open_exchange(home, settings.exchange, credentials, clock.now_ms())
    context.world.clock_ms = clock.now_ms
    config = uvicorn.Config(make_app(context), port=settings.exchange.port, log_level="warning", access_log=False)
    uvicorn.Server(config).run()
    context.world.store.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
