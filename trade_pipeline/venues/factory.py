"""The one place where real venues are built from settings, secrets and the environment. Nothing connects here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from trade_pipeline.errors import ModeRefused, SettingsError
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline.venues.protocols import MarketDataVenue, TradingVenue

EXCHANGE_URL_VARIABLE = "TRADE_PIPELINE_EXCHANGE_URL"


class ExchangeKeys(Protocol):
    """The part of `settings.load.Secrets` that an exchange asks for."""

    @property
    def exchange_api_key(self) -> str: ...

    @property
    def exchange_api_secret(self) -> str: ...


def market_data_venue(settings: Settings, environ: Mapping[str, str]) -> MarketDataVenue:
    """Where bars come from. Raises ModeRefused, SettingsError (no address of the simulated exchange)."""
    url = address_of(settings, environ.get(EXCHANGE_URL_VARIABLE))
    return BinanceMarketData(url, settings.market, weight_per_minute=settings.exchange.weight_limit_per_minute)


def trading_venue(settings: Settings, secrets: ExchangeKeys, exchange_url: str | None) -> TradingVenue:
    """Where orders go. Raises ModeRefused, SettingsError (no address, no key)."""
    url = address_of(settings, exchange_url)
    if not secrets.exchange_api_key or not secrets.exchange_api_secret:
        raise SettingsError(
            "the exchange's key or secret is missing",
            thing="exchange_api_key",
            repair="Set TRADE_PIPELINE_EXCHANGE_API_KEY and TRADE_PIPELINE_EXCHANGE_API_SECRET, or start the stack",
        )
    return BinanceTrading(
        url,
        secrets.exchange_api_key,
        secrets.exchange_api_secret,
        recv_window_ms=settings.execution.recv_window_ms,
        request_timeout_s=settings.market.request_timeout_s,
        read_attempts_max=settings.market.read_attempts_max,
        order_requests_per_s_max=settings.execution.order_requests_per_s_max,
        weight_per_minute=settings.exchange.weight_limit_per_minute,
    )


def address_of(settings: Settings, exchange_url: str | None) -> str | None:
    """The address that stands in for the exchange's own; None is the real one, and live has no other.

    Raises ModeRefused (paper; an address given to live), SettingsError (sim without one).
    """
    if settings.mode == "paper":
        raise ModeRefused("paper trading is not offered yet", thing="mode", value="paper", repair="Use sim")
    if settings.mode == "live":
        if exchange_url:
            raise ModeRefused(
                "live trading goes to the exchange itself, and an address of another one is set",
                thing=EXCHANGE_URL_VARIABLE,
                value=exchange_url,
                repair="Unset it, or use sim",
            )
        return None
    if not exchange_url:
        raise SettingsError(
            "the simulated exchange's address is missing",
            thing=EXCHANGE_URL_VARIABLE,
            repair="Start the stack, or take its environment from `trade-pipeline env`",
        )
    return exchange_url
