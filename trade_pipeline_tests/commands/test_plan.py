"""`plan --dry-run` says what would be sent, and first what keeps increases from it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from trade_pipeline.commands import trading
from trade_pipeline.commands.trading import show_plan
from trade_pipeline.execution.breaker.hand import open_breaker
from trade_pipeline.execution.control import pause
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.planning.plan import Plan
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Decision
from trade_pipeline.settings.home import Home
from trade_pipeline_tests.commands.test_conflicts import home
from trade_pipeline_tests.fakes import make_decision

__all__ = ["home"]


def planned(home: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    show_plan(home, dry_run=True)
    return capsys.readouterr().out.splitlines()


def test_a_pause_and_an_open_breaker_are_told_in_one_line_of_the_header(
    home: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert planned(home, capsys) == ["there is no decision yet"]
    now = datetime.now(UTC)
    pause(Home.at(home), "a look", now)
    assert planned(home, capsys) == ["there is no decision yet", "PAUSED: a look"]
    state = open_breaker(ledger, "main", "*", "the news", now)
    breaker = f"breaker: account OPEN since {state.changed_at:%H:%M}: the news"
    assert planned(home, capsys) == ["there is no decision yet", f"PAUSED: a look; {breaker}"]


def test_the_line_stands_below_the_decision_and_above_the_orders(
    home: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    decision = make_decision("d" * 32)

    def plan(_desk: Desk) -> tuple[Decision, Plan]:
        return decision, Plan((), (), {})

    monkeypatch.setattr(trading, "plan_dry_run", plan)
    head, nothing = planned(home, capsys)
    assert head.startswith(f"decision {decision.decision_id} of the bar that closed at")
    assert nothing == "nothing would be sent"
    pause(Home.at(home), "a look", datetime.now(UTC))
    assert planned(home, capsys) == [head, "PAUSED: a look", nothing]
