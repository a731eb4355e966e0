"""What a stop says about what it leaves on the exchange."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.runtime import remaining
from trade_pipeline.schemas.trading import OrderRequest, OrderType, Side, TimeInForce
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.execution.fake_venue import BTC, FakeVenue
from trade_pipeline_tests.ledger.flow import buy

ID = "7c01" + "a" * 27


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch, ledger_url: str) -> FakeVenue:
    """The fake exchange where the real one would be built; the ledger is real."""
    fake = FakeVenue(lambda: datetime.now(UTC), totals={"USDT": Decimal(10_000), "BTC": Decimal(2)})
    monkeypatch.setattr(remaining, "venue_of", lambda _home, _settings: fake)
    monkeypatch.setenv("TRADE_PIPELINE_LEDGER_URL", ledger_url)
    return fake


def _stop(amount: str) -> OrderRequest:
    prices = {"price": Decimal(89), "stop_price": Decimal(90)}
    return OrderRequest(
        f"{ID}1", BTC, Side.SELL, OrderType.STOP_LOSS_LIMIT, Decimal(amount), **prices, time_in_force=TimeInForce.GTC
    )


def _said(tmp_path: Path) -> list[str]:
    return remaining.what_remains(Home.at(tmp_path), Settings())


def test_nothing_open_is_said(venue: FakeVenue, tmp_path: Path) -> None:
    assert _said(tmp_path) == ["nothing remains open on the exchange"]


@pytest.mark.parametrize(
    ("stop", "said"), [("2", "its stop rests"), ("0.5", "its stop covers only 0.5"), (None, "NO STOP RESTS")]
)
def test_a_position_is_told_with_its_stop(
    venue: FakeVenue, ledger: Ledger, tmp_path: Path, stop: str | None, said: str
) -> None:
    buy(ledger, 1, "2", "100")
    if stop:
        venue.create(_stop(stop))
    (line,) = _said(tmp_path)
    assert line == f"open position: 2 BTC/USDT, {said}"


def test_what_cannot_be_sold_is_residue_and_no_alarm(venue: FakeVenue, ledger: Ledger, tmp_path: Path) -> None:
    buy(ledger, 1, "0.0004", "100")
    (line,) = _said(tmp_path)
    assert line.startswith("residue: 0.0004 BTC/USDT")


def test_the_policy_cancels_buys_of_ours_and_leaves_the_rest(venue: FakeVenue, tmp_path: Path) -> None:
    ours = OrderRequest(f"{ID}2", BTC, Side.BUY, OrderType.LIMIT, Decimal(1), Decimal(50), None, TimeInForce.GTC)
    foreign = OrderRequest("web_1", BTC, Side.BUY, OrderType.LIMIT, Decimal(1), Decimal(50), None, TimeInForce.GTC)
    for request in (_stop("1"), ours, foreign):
        venue.create(request)
    told: list[str] = []
    remaining.apply_policy("cancel_entries", Home.at(tmp_path), Settings(), told.append)
    assert venue.cancelled == [ours.client_order_id]
    assert told == ["cancelled the buy of 1 BTC/USDT"]
    remaining.apply_policy("keep", Home.at(tmp_path), Settings(), told.append)
    assert len(told) == 1


def test_positions_are_read_from_the_guard_s_record_while_the_database_is_away(
    venue: FakeVenue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADE_PIPELINE_LEDGER_URL", f"postgresql+psycopg2://a:b@/x?host={tmp_path}")
    home = Home.at(tmp_path)
    home.control.mkdir()
    home.positions.write_text(
        '{"account": "main", "at": "2024-05-02T12:00:00+00:00", "positions": [{"symbol": "BTC/USDT", "amount": "2"}]}'
    )
    assert _said(tmp_path) == ["open position: 2 BTC/USDT, NO STOP RESTS"]
