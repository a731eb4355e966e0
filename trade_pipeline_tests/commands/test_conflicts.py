"""`conflicts` says what is open and what became of the rest, in words and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from trade_pipeline.commands.conflicts import show_conflicts
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Conflict
from trade_pipeline.observe.book import conflict_lines
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import load_settings, write_settings_in_force


@pytest.fixture
def home(tmp_path: Path, ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADE_PIPELINE_LEDGER_URL", ledger_url)
    monkeypatch.setenv("TRADE_PIPELINE_BROKER_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("TRADE_PIPELINE_EXCHANGE_API_KEY", "key")
    monkeypatch.setenv("TRADE_PIPELINE_EXCHANGE_API_SECRET", "secret")
    write_settings_in_force(Home.at(tmp_path), load_settings(None, overrides={"home": str(tmp_path)}, environ={}))
    return tmp_path


def test_nothing_is_open_is_said(home: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    show_conflicts(home, as_json=False)
    assert "no conflict is open" in capsys.readouterr().out


def test_open_conflicts_come_first_with_amounts_and_reason(
    home: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    why = {"why": "no trade explains it"}
    row = Conflict("a", "main", "USDT", "balance_residual", Decimal(100), Decimal(150), "merge", "halted", now, why)
    ledger.record_conflict(row)
    done = replace(row, conflict_id="b", kind="foreign_order", subject="BTC/USDT", outcome="ignored")
    ledger.record_conflict(replace(done, at=now - timedelta(hours=1)))
    show_conflicts(home, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 open"
    assert "balance_residual USDT: ledger 100, exchange 150, merge: halted, no trade explains it" in lines[1]
    show_conflicts(home, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [item["kind"] for item in told["open"]] == ["balance_residual"]
    assert [item["kind"] for item in told["recent"]] == ["balance_residual", "foreign_order"]
    (line,) = conflict_lines(ledger, "main")
    assert line.startswith("balance_residual USDT: ledger 100, exchange 150 (halted since")
