"""`flatten` as a person reads it: what was done, what was not, and what the home is left in."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest

from trade_pipeline.commands import trading
from trade_pipeline.commands.trading import run_flatten
from trade_pipeline.errors import AuthenticationFailed, OutcomeUnknown, VenueUnavailable
from trade_pipeline.execution.control import paused
from trade_pipeline.execution.emergency.flatten import FlattenReport
from trade_pipeline.runtime.home_lock import HomeLock
from trade_pipeline.runtime.ports import free_port
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import load_settings, write_settings_in_force

BOOKED = "the guard books the sales"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose exchange was there and is no more."""
    monkeypatch.setenv("TRADE_PIPELINE_LEDGER_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("TRADE_PIPELINE_BROKER_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("TRADE_PIPELINE_EXCHANGE_API_KEY", "key")
    monkeypatch.setenv("TRADE_PIPELINE_EXCHANGE_API_SECRET", "secret")
    overrides = {"home": str(tmp_path), "exchange.port": free_port()}
    write_settings_in_force(Home.at(tmp_path), load_settings(None, overrides=overrides, environ={}))
    return tmp_path


def test_without_its_exchange_it_says_that_nothing_was_done_and_that_the_home_is_paused(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(VenueUnavailable, match="part of the stack: start it with `trade-pipeline up`"):
        run_flatten(home)
    said = capfd.readouterr()
    first, second = said.out.splitlines()
    assert "nothing was sold" in first
    assert "stay as they are" in first
    assert "`trade-pipeline resume`" in second
    assert second.startswith("the home is paused")
    assert paused(Home.at(home)) == "flatten"
    assert said.err == ""  # no line of what retried


def test_an_error_that_names_its_own_repair_keeps_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> FlattenReport:
        raise AuthenticationFailed("the key is refused", repair="Look at the key.")

    monkeypatch.setattr(trading, "flatten_home", refused)
    with pytest.raises(AuthenticationFailed, match="Look at the key"):
        run_flatten(home)
    assert "nothing was sold" in capsys.readouterr().out


def test_an_earlier_order_of_unknown_fate_is_not_said_to_be_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unknown(*_: object) -> FlattenReport:
        raise OutcomeUnknown("an order's fate is unknown")

    monkeypatch.setattr(trading, "flatten_home", unknown)
    with pytest.raises(OutcomeUnknown):
        run_flatten(home)
    assert "nothing was sold" not in capsys.readouterr().out


def test_who_books_the_sales_is_said_where_a_stack_runs(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sold = FlattenReport(sold={"BTC/USDT": Decimal(1)}, received_quote={"BTC/USDT": Decimal(100)})
    monkeypatch.setattr(trading, "flatten_home", lambda *_: sold)
    run_flatten(home)
    assert BOOKED not in capsys.readouterr().out
    with HomeLock(Home.at(home)):
        assert str(os.getpid()) in Home.at(home).lock.read_text()
        run_flatten(home)
    assert BOOKED in capsys.readouterr().out
