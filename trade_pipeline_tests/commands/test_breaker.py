"""`breaker show|open|reset` says how an open one ends and what was forgiven."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from trade_pipeline.commands.breaker import run_open, run_reset, show_breakers
from trade_pipeline.errors import ConfigurationError
from trade_pipeline.execution.breaker.state import CALM_SINCE
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import BreakerState
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import load_settings, write_settings_in_force
from trade_pipeline_tests.fakes import START


@pytest.fixture
def home(tmp_path: Path, ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADE_PIPELINE_LEDGER_URL", ledger_url)
    monkeypatch.setenv("TRADE_PIPELINE_BROKER_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("TRADE_PIPELINE_EXCHANGE_API_KEY", "key")
    monkeypatch.setenv("TRADE_PIPELINE_EXCHANGE_API_SECRET", "secret")
    write_settings_in_force(Home.at(tmp_path), load_settings(None, overrides={"home": str(tmp_path)}, environ={}))
    return tmp_path


def shown(home: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    show_breakers(home, as_json=False)
    return capsys.readouterr().out


def test_what_a_person_opens_only_a_person_ends(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no breaker is open" in shown(home, capsys)
    run_open(home, "BTC/USDT", "the news")
    assert "BTC/USDT: OPEN" in shown(home, capsys)
    assert "[until `breaker reset`]" in shown(home, capsys)

    run_reset(home, "BTC/USDT", "read them")
    assert "is forgiven]" in shown(home, capsys)
    with pytest.raises(ConfigurationError, match="not open"):
        run_reset(home, "BTC/USDT", "again")


def test_the_return_of_an_open_one_is_told(home: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    state = BreakerState("main", "*", "OPEN", "drawdown", "15 %", START, START)
    ledger.set_breaker(state)
    assert "its return counts from the end of the breach" in shown(home, capsys)
    ledger.set_breaker(replace(state, detail={CALM_SINCE: START.isoformat()}))
    assert f"within its limit since {START:%H:%M:%S}" in shown(home, capsys)

    show_breakers(home, as_json=True)
    assert json.loads(capsys.readouterr().out)["breakers"][0]["detail"] == {CALM_SINCE: START.isoformat()}
