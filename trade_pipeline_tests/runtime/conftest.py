"""One stack of the small code location for the tests that ask it, see it leak, and kill its processes, in this order.

The order is said in trade_pipeline_tests/order.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trade_pipeline.runtime.health import Surroundings
from trade_pipeline.runtime.stack import Stack
from trade_pipeline_tests.runtime.stacks import OTHERS, started


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Surroundings]]:
    with started(tmp_path_factory.mktemp("home"), without=OTHERS) as found:
        yield found
