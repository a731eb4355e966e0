"""`python -m trade_pipeline.exchange --home HOME`: the simulated exchange as a process of a stack."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator

import uvicorn

from trade_pipeline.errors import ConfigurationError, PortTaken, SettingsError, VenueError
from trade_pipeline.exchange.opening import open_exchange
from trade_pipeline.exchange.paper.opening import open_paper
from trade_pipeline.exchange.server.app import make_app
from trade_pipeline.exchange.server.auth import Credentials
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import secrets_from, settings_in_force
from trade_pipeline.settings.protect import protect_process

EXIT_CONFIGURATION = 2


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Exit code 2 with one sentence when a human has to change something."""
    parser = argparse.ArgumentParser(prog="python -m trade_pipeline.exchange", description=__doc__)
    parser.add_argument("--home", required=True, help="folder of the stack, as `trade-pipeline up` made it")
    home = Home.at(parser.parse_args(arguments).home)
    protect_process(secrets_from(os.environ, home), databases=False)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        return _serve(home)
    except (ConfigurationError, VenueError) as error:
        sys.stderr.write(f"{error}\n")
        # A real exchange that does not answer may do so the next time: the supervisor starts us again.
        return EXIT_CONFIGURATION if isinstance(error, ConfigurationError) else 1


def _serve(home: Home) -> int:
    settings = settings_in_force(home)
    secrets = secrets_from(os.environ, home)
    if not secrets.exchange_api_key or not secrets.exchange_api_secret:
        raise SettingsError(
            "the exchange has no API key and secret",
            thing="TRADE_PIPELINE_EXCHANGE_API_KEY, TRADE_PIPELINE_EXCHANGE_API_SECRET",
            repair="Start the exchange by `trade-pipeline up`, or set both variables.",
        )
    # The port is taken first: a second exchange must not touch the state of the one that runs.
    listener = _listen(settings.exchange.port)
    credentials = Credentials(secrets.exchange_api_key, secrets.exchange_api_secret)
    if settings.mode == "paper":
        context = open_paper(home, settings, credentials)
    else:
        context = open_exchange(home, settings.exchange, credentials)
    config = uvicorn.Config(
        make_app(context), log_level="warning", access_log=False, timeout_graceful_shutdown=1, lifespan="on",
        timeout_keep_alive=120,
    )  # fmt: skip
    _Server(config).run(sockets=[listener])
    context.world.store.close()
    return 0


class _Server(uvicorn.Server):
    """Ends with exit code 0 on SIGTERM: uvicorn's own would raise the signal again after a clean shutdown."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"the port cannot be used ({error.strerror})",
            thing="exchange.port",
            value=port,
            repair="Stop the other process, or set exchange.port to a free one.",
        ) from error
    listener.listen(512)
    listener.set_inheritable(True)
    return listener


if __name__ == "__main__":
    raise SystemExit(main())
