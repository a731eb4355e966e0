"""A guard that has put its stop under a position."""

from __future__ import annotations

import pytest

from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline_tests.execution.conftest import Room


@pytest.fixture
def guard(room: Room) -> Guard:
    """Of an account that has bought 1 BTC at 100.02 with a stop distance of 5."""
    room.want("1")
    guard = room.guard()
    guard.cycle()
    return guard
