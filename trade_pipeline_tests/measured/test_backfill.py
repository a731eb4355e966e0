"""The measured ways of a backfill on a small lake: they compute the same signals, and Dagster's is a real run."""

from __future__ import annotations

from pathlib import Path

import pytest

from trade_pipeline.defs import resources
from trade_pipeline.defs.resources import HOME_VARIABLE
from trade_pipeline.measured.backfill import functions_alone, open_made, through_dagster, with_the_lake
from trade_pipeline.measured.made_stack import FIRST_DAY, days_from, fill_lake, made_home


def test_every_way_computes_the_same_signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = made_home(tmp_path, symbols=2)
    root = str(home.root)
    monkeypatch.setenv(HOME_VARIABLE, root)
    before, day = days_from(FIRST_DAY, 2)
    stack = open_made(root)
    fill_lake(stack, [before, day])
    try:
        rows = functions_alone(root, [day])
        assert rows == 2 * 2 * (1_440 + 600)  # strategies, symbols, the day and its warm-up
        assert with_the_lake(root, [day]) == rows
        first = open_made(root).lake.read("signals", [day])
        assert through_dagster(root, [day]) == rows
        again = open_made(root).lake
        assert again.read("signals", [day]).equals(first, null_equal=True)
        assert again.version("signals") == 1, "the run found the same signals and added none"
    finally:
        resources.forget(root)
