"""The facts are read through ccxt's unmodified class, the simulated exchange standing for the real one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from trade_pipeline.errors import LedgerUnavailable, ModeRefused, SettingsError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.runtime.preflight.checks import judge
from trade_pipeline.runtime.preflight.instance_watch import InstanceWatch
from trade_pipeline.runtime.preflight.reader import FactReader, guard_holder
from trade_pipeline.schemas.trading import OrderRequest, OrderType, Side, TimeInForce
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline.venues.factory import address_of
from trade_pipeline_tests.exchange.servers import KEY, SECRET, Running, running_server

LIVE = Settings(mode="live")
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server() as running:
        yield running


@pytest.fixture
def venue(server: Running) -> Iterator[BinanceTrading]:
    found = BinanceTrading(server.url, KEY, SECRET)
    yield found
    found.close()


def _reader(tmp_path: Path) -> FactReader:
    return FactReader(LIVE, Home.at(tmp_path), exchange_url=None)


def test_clock_and_orders_are_read_over_the_wire(tmp_path: Path, venue: BinanceTrading) -> None:
    facts = _reader(tmp_path).read(venue, None)
    assert facts.clock_offset_ms is not None
    assert abs(facts.clock_offset_ms) < 200
    assert 0 < facts.clock_uncertainty_ms < 200
    assert facts.foreign_orders == 0


CAREFUL = Settings.model_validate(
    {"mode": "live", "market": {"symbols": ["BTC/USDT"]}, "execution": {"installation_prefix": "a1b2"}}
)


@pytest.mark.parametrize(
    ("more", "failed"),
    [
        ({}, []),
        ({"enableWithdrawals": True}, ["the key cannot withdraw"]),
        ({"enableSpotAndMarginTrading": False}, ["the key can trade"]),
    ],
)
def test_the_whole_preflight_passes_or_fails_by_what_the_exchange_says(
    tmp_path: Path, server: Running, venue: BinanceTrading, ledger: Ledger, more: dict[str, bool], failed: list[str]
) -> None:
    server.context.key_permissions.update(more)
    try:
        facts = FactReader(CAREFUL, Home.at(tmp_path), exchange_url=None).read(venue, ledger)
    finally:
        server.context.key_permissions.clear()
    assert [item.check for item in judge(facts) if not item.passed] == failed


def test_a_clock_that_goes_wrong_is_measured(tmp_path: Path, venue: BinanceTrading) -> None:
    behind = FactReader(
        LIVE, Home.at(tmp_path), exchange_url=None, now=lambda: datetime.now(UTC) - timedelta(seconds=3)
    )
    offset = behind.read(venue, None).clock_offset_ms
    assert offset is not None
    assert 2800 < offset < 3200


def test_an_order_of_another_installation_is_seen(tmp_path: Path, venue: BinanceTrading) -> None:
    rules = venue.markets()["BTC/USDT"]
    price = (venue.book_tops(["BTC/USDT"])["BTC/USDT"].bid * Decimal("0.9")).quantize(rules.price_tick)
    amount = (Decimal(100) / price).quantize(rules.amount_step)
    other, ours = "ffff" + "0" * 28, LIVE.execution.installation_prefix + "0" * 28
    for identity in (other, ours):
        venue.create(
            OrderRequest(
                symbol="BTC/USDT",
                side=Side.BUY,
                type=OrderType.LIMIT,
                amount=amount,
                price=price,
                time_in_force=TimeInForce.GTC,
                client_order_id=identity,
            )
        )
    try:
        assert _reader(tmp_path).read(venue, None).foreign_orders == 1
    finally:
        for identity in (other, ours):
            venue.cancel("BTC/USDT", identity)


def test_a_wrong_key_is_a_trouble_and_not_an_exception(tmp_path: Path, server: Running) -> None:
    stranger = BinanceTrading(server.url, KEY, "x" * 32)
    facts = _reader(tmp_path).read(stranger, None)
    stranger.close()
    assert facts.foreign_orders is None
    assert "orders" in facts.troubles
    assert "x" * 32 not in str(facts.troubles)


def test_without_a_key_nothing_is_asked(tmp_path: Path) -> None:
    facts = _reader(tmp_path).read(None, None)
    assert not facts.keys_present
    assert set(facts.troubles) == {"key", "clock", "account", "orders"}


def test_another_home_s_guard_is_a_second_instance_and_our_own_is_not(
    tmp_path: Path, venue: BinanceTrading, ledger: Ledger
) -> None:
    lease = ledger.acquire_lease("main/guard", guard_holder(Home.at(tmp_path)), 30)
    assert _reader(tmp_path).read(venue, ledger).lease_holder is None
    ledger.release_lease(lease)
    assert ledger.lease_holder("main/guard") is None
    ledger.acquire_lease("main/guard", "guard:/another/home", 30)
    assert _reader(tmp_path).read(venue, ledger).lease_holder == "guard:/another/home"


def test_live_goes_to_the_exchange_itself_and_to_no_address_that_somebody_set() -> None:
    assert address_of(LIVE, None) is None
    with pytest.raises(ModeRefused, match="goes to the exchange itself"):
        address_of(LIVE, "http://127.0.0.1:18080")
    with pytest.raises(SettingsError, match="address is missing"):
        address_of(Settings(mode="paper"), None)


def test_a_running_stack_hears_once_of_an_intruder_and_again_when_he_comes_back() -> None:
    answers: list[str | Exception | None] = [None, "b", "b", LedgerUnavailable("away"), None, "b"]

    def intruder() -> str | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    watch = InstanceWatch(intruder, 30)
    heard = [watch.look(NOW + timedelta(seconds=31 * n)) for n in range(6)]
    assert heard == [None, "b", None, None, None, "b"]
    assert watch.look(NOW + timedelta(seconds=156)) is None  # too early to look again
