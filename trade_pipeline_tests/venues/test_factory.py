"""Venues are built from settings; what is missing is one sentence."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from trade_pipeline.errors import ModeRefused, SettingsError, VenueError
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline.venues.ccxt_clients import ClientOptions, async_client, sync_client
from trade_pipeline.venues.factory import market_data_venue, trading_venue
from trade_pipeline.venues.unified_market_data import UnifiedMarketData
from trade_pipeline_tests.venues.scripted_exchange import ScriptedExchange

URL = "http://127.0.0.1:1"


@dataclass(frozen=True)
class Keys:
    exchange_api_key: str = "key"
    exchange_api_secret: str = "secret"
    exchange_api_passphrase: str = ""


def test_sim_mode_builds_both_venues_without_connecting() -> None:
    assert isinstance(market_data_venue(Settings(), {"TRADE_PIPELINE_EXCHANGE_URL": URL}), BinanceMarketData)
    assert isinstance(trading_venue(Settings(), Keys(), URL), BinanceTrading)


def test_a_missing_address_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="TRADE_PIPELINE_EXCHANGE_URL"):
        market_data_venue(Settings(), {})


def test_a_missing_key_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="TRADE_PIPELINE_EXCHANGE_API_KEY"):
        trading_venue(Settings(), Keys(exchange_api_key=""), URL)


def test_live_is_refused_with_an_address_that_somebody_set() -> None:
    with pytest.raises(ModeRefused):
        trading_venue(Settings(mode="live"), Keys(), URL)


def test_paper_reads_the_real_exchange_and_sends_to_the_simulated_one() -> None:
    settings = Settings.model_validate({"mode": "paper", "venue": {"name": "kraken"}})
    reads = market_data_venue(settings, {"TRADE_PIPELINE_EXCHANGE_URL": URL})
    assert isinstance(reads, UnifiedMarketData)
    assert reads.name == "kraken"
    assert isinstance(trading_venue(settings, Keys(), URL), BinanceTrading)
    with pytest.raises(SettingsError, match="address is missing"):
        trading_venue(settings, Keys(), None)


def test_no_address_of_a_simulated_client_leads_to_a_real_exchange() -> None:
    """Invariant 19: every section moves, private ones and those of other markets too."""
    options = ClientOptions("http://127.0.0.1:1/", 1.0, "k", "s")
    for client in (sync_client(options), async_client(options)):
        addresses = client.urls["api"]
        assert len(addresses) > 20
        assert {urlsplit(url).netloc for url in addresses.values()} == {"127.0.0.1:1"}


def test_a_simulated_venue_sends_everything_to_the_address_that_it_was_given(exchange: ScriptedExchange) -> None:
    venue = trading_venue(Settings(), Keys(), exchange.url)
    sent: list[str] = []
    line = venue._orders.get()  # type: ignore[attr-defined]  # the transport has no other way in
    for client in (line.client, venue._reads.get().client):  # type: ignore[attr-defined]
        original = client.session.request

        def watched(method: str, url: str, *rest: object, original: Any = original, **more: object) -> Any:
            sent.append(url)
            return original(method, url, *rest, **more)

        client.session.request = watched
    for ask in (venue.server_time, venue.account, venue.permissions, venue.account_kind):  # type: ignore[attr-defined]
        with suppress(VenueError):
            ask()
    venue.close()
    assert len(sent) >= 4
    assert all(url.startswith(exchange.url) for url in sent)
