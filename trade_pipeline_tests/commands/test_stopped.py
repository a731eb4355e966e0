"""What a person reads who asks a home whose stack is stopped: what is not known, and what starts it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trade_pipeline.cli import main
from trade_pipeline.commands.context import STOPPED
from trade_pipeline.runtime.home_lock import HomeLock
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import load_settings, write_settings_in_force


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which a stack was started once, and no database answers."""
    monkeypatch.setenv("TRADE_PIPELINE_LEDGER_URL", f"postgresql+psycopg2://a:b@/x?host={tmp_path}")
    monkeypatch.setenv("TRADE_PIPELINE_BROKER_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("TRADE_PIPELINE_EXCHANGE_API_KEY", "key")
    monkeypatch.setenv("TRADE_PIPELINE_EXCHANGE_API_SECRET", "secret")
    monkeypatch.delenv("COLUMNS", raising=False)
    write_settings_in_force(Home.at(tmp_path), load_settings(None, overrides={"home": str(tmp_path)}, environ={}))
    return tmp_path


def call(home: Path, *arguments: str) -> int:
    """The exit code."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--home", str(home)])
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    "command",
    [
        *("conflicts", "explain x", "plan --dry-run", "breaker show", "breaker open --why x"),
        *("verify-ledger", "unlock BTC/USDT"),
    ],
)
def test_what_needs_the_ledger_leads_with_what_starts_it(
    home: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert call(home, *command.split()) == 2
    assert capsys.readouterr().err.startswith(f"trade-pipeline: {STOPPED}")


def test_of_a_stack_that_runs_the_database_itself_is_blamed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with HomeLock(Home.at(home)):
        assert call(home, "conflicts") == 2
    said = capsys.readouterr().err
    assert "the database does not answer" in said
    assert STOPPED not in said


def test_no_address_is_printed_that_nobody_answers(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(home, "ui") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert STOPPED in said.err
    with HomeLock(Home.at(home)):
        assert call(home, "ui") == 0
    assert "http://" in capsys.readouterr().out


def test_a_status_in_a_pipe_is_whole(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    control = Home.at(home).control
    control.mkdir()
    rows = [{"symbol": f"COIN{number}SATS/USDT", "amount": "1234567.12345"} for number in range(10, 40)]
    (control / "positions.json").write_text(json.dumps({"account": "main", "positions": rows}))
    assert call(home, "status") == 0
    said = capsys.readouterr().out
    assert said.count("SATS/USDT ") == 30
    assert said.count("1234567.12345 ") == 30
    assert "STOPPED" in said
    assert "next: `trade-pipeline up` starts it" in said
