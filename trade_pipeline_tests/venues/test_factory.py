"""Venues are built from settings; what is missing is one sentence."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from trade_pipeline.errors import ModeRefused, SettingsError
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline.venues.factory import market_data_venue, trading_venue

URL = "http://127.0.0.1:1"


@dataclass(frozen=True)
class Keys:
    exchange_api_key: str = "key"
    exchange_api_secret: str = "secret"


def test_sim_mode_builds_both_venues_without_connecting() -> None:
    assert isinstance(market_data_venue(Settings(), {"TRADE_PIPELINE_EXCHANGE_URL": URL}), BinanceMarketData)
    assert isinstance(trading_venue(Settings(), Keys(), URL), BinanceTrading)


def test_a_missing_address_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="TRADE_PIPELINE_EXCHANGE_URL"):
        market_data_venue(Settings(), {})


def test_a_missing_key_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="TRADE_PIPELINE_EXCHANGE_API_KEY"):
        trading_venue(Settings(), Keys(exchange_api_key=""), URL)


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_other_modes_are_refused(mode: str) -> None:
    settings = Settings.model_validate({"mode": mode})
    with pytest.raises(ModeRefused):
        trading_venue(settings, Keys(), URL)
