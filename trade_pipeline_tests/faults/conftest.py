"""A stage for seeds, on the test's own database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from trade_pipeline.faults.stage import Stage


@pytest.fixture
def stage(ledger_url: str, tmp_path: Path) -> Iterator[Stage]:
    found = Stage.at(ledger_url, tmp_path)
    yield found
    found.close()
