"""`breaker show` says which breakers are open, and how many of the errors of the last week were recovered from."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trade_pipeline.commands.breaker import show_breakers
from trade_pipeline.execution.breaker.hand import open_breaker
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline_tests.commands.test_conflicts import home

__all__ = ["home"]


def test_the_recovery_rate_is_shown_by_component_and_error(
    home: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    today = datetime.now(UTC).date()
    for recovered in (True, True, True, False):
        ledger.count_recovery(today, "submit", "RateLimited", "retry", recovered)
    ledger.count_recovery(today - timedelta(days=30), "submit", "RateLimited", "retry", False)
    show_breakers(home, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "no breaker is open: orders that increase positions are allowed",
        "errors of the last 7 days: submit RateLimited: 3 of 4 recovered (75 %)",
    ]


def test_breakers_and_counts_are_told_as_json(home: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    open_breaker(ledger, "main", "*", "a test says so", datetime.now(UTC))
    ledger.count_recovery(datetime.now(UTC).date(), "cancel", "Banned", "halt", False)
    show_breakers(home, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in told["breakers"]] == ["OPEN"]
    (row,) = told["recoveries"]
    assert (row["component"], row["error"], row["action"], row["recovered"], row["count"]) == (
        "cancel", "Banned", "halt", False, 1
    )  # fmt: skip
