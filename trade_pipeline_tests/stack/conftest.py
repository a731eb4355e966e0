"""One stack for the tests of this folder: started like a user's, stopped by Ctrl-C when the folder is done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trade_pipeline_tests.stack.running import RunningStack, traded_once


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Traded once already: its first order is filled."""
    with traded_once(tmp_path_factory.mktemp("stack")) as running:
        yield running
