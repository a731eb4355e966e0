"""A moment in which every promise is kept; tests break one of them."""

from __future__ import annotations

import pytest

from trade_pipeline_tests.faults.oracle.scene import Scene, clean_scene


@pytest.fixture
def scene() -> Scene:
    return clean_scene()
