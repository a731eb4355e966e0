"""All processes that act for an account on one of the seven exchanges share one budget and one order to wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trade_pipeline.errors import RateLimited
from trade_pipeline.schemas.trading import TimeInForce
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues import shared_budget
from trade_pipeline.venues.factory import unified_trading_venue
from trade_pipeline.venues.shared_budget import requests_of_account
from trade_pipeline_tests.venues.dialects import BTC, EXCHANGES, OWN, request
from trade_pipeline_tests.venues.ledgers_of_exchanges import BALANCES
from trade_pipeline_tests.venues.recorded_transport import Failure
from trade_pipeline_tests.venues.test_unified_trading import opened

KRAKEN = EXCHANGES["kraken"]
WAIT_S = 0.01


class Keys:
    exchange_api_key, exchange_api_secret, exchange_api_passphrase = "k", "s", "p"


@pytest.fixture(autouse=True)
def _long_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nothing is waited for, and nothing that was counted is over."""
    monkeypatch.setattr(shared_budget, "REQUESTS_MIN", 1e6)
    monkeypatch.setattr(shared_budget, "ACCOUNT_WINDOW_S_MAX", 3600.0)


def test_reads_and_orders_of_two_processes_are_counted_together(tmp_path: Path) -> None:
    path = tmp_path / "account.budget"
    answers: dict[str, Any] = {**KRAKEN.look_up, f"POST {KRAKEN.create}": KRAKEN.accepted}
    one, first = opened("kraken", dict(answers), path)
    two, second = opened("kraken", dict(answers), path)
    before = requests_of_account(path, 1000.0).used()
    one.create(request(time_in_force=TimeInForce.GTC))
    two.order(BTC, OWN)
    counted = requests_of_account(path, 1000.0).used() - before
    assert counted == len(first.sent) + len(second.sent) > 2, "every request of a look-up, not the look-up as one"


def test_an_order_to_wait_that_one_process_hears_stops_the_others(tmp_path: Path) -> None:
    path, known = tmp_path / "account.budget", EXCHANGES["okx"]
    refusing: dict[str, Any] = dict.fromkeys(known.empty, Failure(429, "{}"))
    one, _ = opened("okx", refusing, path)
    where, balances = BALANCES["okx"]
    two, transport = opened("okx", {where: balances}, path)
    with pytest.raises(RateLimited):
        one.order(BTC, OWN)
    before = len(transport.sent)
    with pytest.raises(RateLimited, match="nothing was sent"):
        two.account()
    assert len(transport.sent) == before


def test_reads_that_used_up_the_budget_of_all_do_not_hold_an_order_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "account.budget"
    venue, transport = opened("kraken", {**KRAKEN.look_up, f"POST {KRAKEN.create}": KRAKEN.accepted}, path)
    requests_of_account(path, 1000.0).spend(1e9)
    monkeypatch.setattr(shared_budget, "WAIT_S_MAX", WAIT_S)
    with pytest.raises(RateLimited, match="nothing was sent"):
        venue.account()
    order = venue.create(request(time_in_force=TimeInForce.GTC))
    assert order.client_order_id == OWN
    assert [sent.path for sent in transport.sent if sent.path == KRAKEN.create] == [KRAKEN.create]


@pytest.mark.parametrize(("pause_ms", "limit", "window_s"), [(1000, 4.0, 4.0), (110, 10.0, 1.1), (20, 50.0, 1.0)])
def test_some_of_few_requests_are_left_to_orders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pause_ms: float, limit: float, window_s: float
) -> None:
    monkeypatch.undo()
    budget = requests_of_account(tmp_path / "account.budget", pause_ms)
    assert budget._limit == pytest.approx(limit)
    assert budget._part_s * 60 == pytest.approx(window_s)


def test_the_factory_gives_every_process_of_a_home_the_same_file(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    settings = Settings.model_validate({"mode": "live", "venue": {"name": "kraken"}, "account": "main"})
    venue = unified_trading_venue(settings, Keys(), None, home.budgets)
    assert venue._budget_path == home.budgets / "kraken-itself-account.budget"
    assert unified_trading_venue(settings, Keys(), None)._budget_path is None
