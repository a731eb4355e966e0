"""`breaker show|open|reset`: what is open, how it ends, what is forgiven, how many errors were recovered from."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from trade_pipeline.commands import breaker
from trade_pipeline.commands.breaker import run_open, run_reset, show_breakers
from trade_pipeline.errors import ConfigurationError, SymbolUnknown, VenueUnavailable
from trade_pipeline.execution.breaker.hand import open_breaker
from trade_pipeline.execution.breaker.state import CALM_SINCE
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import BreakerState
from trade_pipeline_tests.commands.test_conflicts import home
from trade_pipeline_tests.execution.fake_venue import FakeVenue
from trade_pipeline_tests.fakes import START
from trade_pipeline_tests.ledger.flow import buy

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


def shown(home: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    show_breakers(home, as_json=False)
    return capsys.readouterr().out


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> FakeVenue:
    """Lists BTC/USDT only."""
    fake = FakeVenue(lambda: START)
    monkeypatch.setattr(breaker, "venue_of", lambda *_: fake)
    return fake


@pytest.mark.parametrize(("symbol", "repair"), [("NO/SUCH", "BASE/QUOTE"), ("BTC", "BASE/"), ("btc/usdt", "BTC/USDT")])
def test_a_symbol_that_nobody_knows_opens_nothing(
    home: Path, ledger: Ledger, venue: FakeVenue, symbol: str, repair: str
) -> None:
    with pytest.raises(SymbolUnknown, match=repair):
        run_open(home, symbol, "the news")
    assert ledger.breakers("main") == []


def test_a_coin_that_is_held_has_a_breaker_though_the_exchange_no_longer_lists_it(
    home: Path, ledger: Ledger, venue: FakeVenue
) -> None:
    buy(ledger, 1, "1", "100")
    venue.symbols = ("ETH/USDT",)
    run_open(home, "BTC/USDT", "the news")
    assert [state.scope for state in ledger.breakers("main")] == ["BTC/USDT"]


def test_an_exchange_that_is_away_prevents_no_stop(
    home: Path, ledger: Ledger, venue: FakeVenue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away() -> NoReturn:
        raise VenueUnavailable("no line")

    monkeypatch.setattr(venue, "markets", away)
    run_open(home, "NEW/USDT", "the news")
    assert "could not be asked: no line" in capsys.readouterr().err
    assert [state.scope for state in ledger.breakers("main")] == ["NEW/USDT"]


def test_what_a_person_opens_only_a_person_ends(
    home: Path, venue: FakeVenue, capsys: pytest.CaptureFixture[str]
) -> None:
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
