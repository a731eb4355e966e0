"""Finds the recorded market data that stands beside a checkout; tests that need it skip where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_path(relative: str) -> Path:
    """The path of a recorded file or folder, or a skip that says what is missing."""
    default = Path(__file__).resolve().parents[2] / "shared"
    path = Path(os.environ.get("TRADE_PIPELINE_SHARED", default)) / relative
    if not path.exists():
        pytest.skip(f"recorded data {relative} is not beside this checkout (../shared)")
    return path
