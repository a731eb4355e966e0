"""One server for the tests that do not care what others did to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from trade_pipeline_tests.exchange.servers import Running, client, running_server


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server() as running:
        yield running


@pytest.fixture(scope="module")
def binance(server: Running) -> Any:
    made = client(server.url)
    made.load_markets()
    return made
