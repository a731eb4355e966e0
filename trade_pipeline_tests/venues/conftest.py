"""A scripted exchange, and venues that talk to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina

from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline_tests.venues.scripted_exchange import ScriptedExchange


@pytest.fixture
def exchange() -> Iterator[ScriptedExchange]:
    with ScriptedExchange() as running:
        yield running


@pytest.fixture
def trading(exchange: ScriptedExchange) -> Iterator[BinanceTrading]:
    venue = BinanceTrading(exchange.url, "the-key", "the-secret", request_timeout_s=1.0)
    yield venue
    venue.close()


@pytest.fixture
def market_data(exchange: ScriptedExchange) -> Iterator[BinanceMarketData]:
    venue = BinanceMarketData(exchange.url, MarketSettings(request_timeout_s=1.0))
    yield venue
    venue.close()


@pytest.fixture(autouse=True)
def no_waiting_between_attempts() -> Iterator[None]:
    """Attempts stay as many as they are; only the pauses between them go."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield
