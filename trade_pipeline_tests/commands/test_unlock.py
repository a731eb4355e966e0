"""`unlock` lifts exactly the lock that was named, and leaves a trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from trade_pipeline.commands.trading import run_unlock
from trade_pipeline.errors import ConfigurationError
from trade_pipeline.ledger.ledger import Ledger, utc_now
from trade_pipeline.ledger.records import Lock
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import load_settings, write_settings_in_force


@pytest.fixture
def home(tmp_path: Path, ledger: Ledger, ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose ledger holds a halt of BTC/USDT and a strategy's lock on ETH/USDT."""
    monkeypatch.setenv("TRADE_PIPELINE_LEDGER_URL", ledger_url)
    monkeypatch.setenv("TRADE_PIPELINE_BROKER_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("TRADE_PIPELINE_EXCHANGE_API_KEY", "key")
    monkeypatch.setenv("TRADE_PIPELINE_EXCHANGE_API_SECRET", "secret")
    write_settings_in_force(Home.at(tmp_path), load_settings(None, overrides={"home": str(tmp_path)}, environ={}))
    ledger.lock(Lock("main", "*", "BTC/USDT", "a contradictory order", utc_now()))
    ledger.lock(Lock("main", "trend", "ETH/USDT", "protective exit", utc_now()))
    return tmp_path


def test_a_halt_is_lifted_and_the_other_lock_stays(
    home: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    run_unlock(home, "BTC/USDT", "*")
    assert [(lock.strategy, lock.symbol) for lock in ledger.locks("main", utc_now())] == [("trend", "ETH/USDT")]
    assert [event.kind for event in ledger.events("main")] == ["unlocked_by_hand"]
    assert "a contradictory order" in capsys.readouterr().out


def test_a_lock_that_does_not_exist_is_named_and_nothing_changes(home: Path, ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match=r"ETH/USDT by \*: no such lock"):
        run_unlock(home, "ETH/USDT", "*")
    assert len(ledger.locks("main", utc_now())) == 2
