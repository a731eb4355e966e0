"""A simulated exchange for one run of a test or a benchmark: the stack's own process in a home that is thrown away."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trade_pipeline.errors import ConfigurationError
from trade_pipeline.runtime.health import http_answers
from trade_pipeline.runtime.ports import free_port
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import VARIABLES, write_settings_in_force
from trade_pipeline.settings.root import Settings

READY_S_MAX = 60.0


@dataclass(frozen=True, slots=True)
class ThrowawayExchange:
    """Where it answers, and the key that it takes."""

    home: Home
    settings: Settings
    url: str
    process_id: int
    key: str = field(repr=False)
    secret: str = field(repr=False)


@contextmanager
def throwaway_exchange(
    folder: Path, keys: tuple[str, str] | None = None, **exchange: object
) -> Iterator[ThrowawayExchange]:
    """Starts one in `folder` on a free port, waits until it answers, stops it.

    `keys` are the API key and secret that it takes, random ones if None; `exchange` are settings of that section.

    Raises ConfigurationError when it ends, or does not answer.
    """
    home = Home.at(folder)
    port = free_port()
    settings = Settings.model_validate({"home": str(folder), "exchange": {"port": port, **exchange}})
    write_settings_in_force(home, settings)
    key, secret = keys or (secrets.token_hex(8), secrets.token_hex(16))
    environ = {**os.environ, VARIABLES["exchange_api_key"]: key, VARIABLES["exchange_api_secret"]: secret}
    command = [sys.executable, "-m", "trade_pipeline.exchange", "--home", str(folder)]
    process = subprocess.Popen(command, env=environ)  # noqa: S603  our own program, no shell
    try:
        url = f"http://127.0.0.1:{port}"
        await_ready(process, url)
        yield ThrowawayExchange(home, settings, url, process.pid, key, secret)
    finally:
        process.terminate()
        process.wait(timeout=20)


def await_ready(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + READY_S_MAX
    while not http_answers(f"{url}/api/v3/ping"):
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            what = f"it ended with code {process.returncode}" if ended else f"no answer within {READY_S_MAX:g} s"
            raise ConfigurationError(f"the simulated exchange did not start: {what}", thing=url)
        time.sleep(0.05)
