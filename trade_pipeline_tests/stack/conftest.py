"""One stack for the tests of this folder: started like a user's, stopped by Ctrl-C when the folder is done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trade_pipeline_tests.stack.running import RunningStack, awaited, left_running


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Traded once already: its first order is filled."""
    running = RunningStack.start(tmp_path_factory.mktemp("stack"))
    try:
        awaited(lambda: running.ask(lambda ledger: ledger.fills("main")), 240, "a first fill", running)
        yield running
    finally:
        code = running.stop()
    assert code == 0, running.log.read_text()[-3000:]
    assert left_running(running.home) == []
