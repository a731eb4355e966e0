"""The one place where real venues are built from settings, secrets and the environment. Nothing connects here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from trade_pipeline.errors import ModeRefused, SettingsError
from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline.venues.capabilities import capabilities_of
from trade_pipeline.venues.ccxt_clients import WEIGHT_PER_MINUTE
from trade_pipeline.venues.order_budget import OrderBudget
from trade_pipeline.venues.protocols import MarketDataVenue, TradingVenue
from trade_pipeline.venues.shared_budget import SharedBudget
from trade_pipeline.venues.unified_client import UnifiedOptions
from trade_pipeline.venues.unified_market_data import UnifiedMarketData
from trade_pipeline.venues.unified_trading import UnifiedTrading

EXCHANGE_URL_VARIABLE = "TRADE_PIPELINE_EXCHANGE_URL"


class ExchangeKeys(Protocol):
    """The part of `settings.load.Secrets` that an exchange asks for."""

    @property
    def exchange_api_key(self) -> str: ...

    @property
    def exchange_api_secret(self) -> str: ...

    @property
    def exchange_api_passphrase(self) -> str: ...


def market_data_venue(settings: Settings, environ: Mapping[str, str], budgets: Path | None = None) -> MarketDataVenue:
    """Where bars come from: paper reads the real exchange, though its orders stay here.

    `budgets` is the folder in which processes share an exchange's limit; without it each has a part of its own.
    Raises ModeRefused, SettingsError (no address of the simulated exchange).
    """
    if settings.mode == "paper":
        name, stand_in = settings.venue.name, settings.paper.feed_url
        return make_market_data_venue(name, settings.market, exchange_url=stand_in, budgets=budgets)
    url = address_of(settings, environ.get(EXCHANGE_URL_VARIABLE))
    return make_market_data_venue(
        exchange_of(settings),
        settings.market,
        exchange_url=url,
        sandbox=settings.mode == "live" and settings.venue.sandbox,
        weight_per_minute=settings.exchange.weight_limit_per_minute,
        used_weight_share_max=settings.venue.used_weight_share_max,
        budgets=budgets,
    )


def make_market_data_venue(
    name: str,
    settings: MarketSettings,
    *,
    exchange_url: str | None = None,
    sandbox: bool = False,
    weight_per_minute: float = WEIGHT_PER_MINUTE,
    used_weight_share_max: float = 1.0,
    budgets: Path | None = None,
) -> MarketDataVenue:
    """Public data of the exchange `name`, by ccxt's name. `exchange_url` stands in for its own address.

    Raises SettingsError: nothing is known of it, or it has no sandbox. Connects at the first call.
    """
    if name == "binance" and not sandbox:
        return BinanceMarketData(
            exchange_url,
            settings,
            weight_per_minute=weight_per_minute,
            used_weight_share_max=used_weight_share_max,
            budget=budget_of(budgets, name, exchange_url, weight_per_minute),
        )
    capabilities_of(name)
    options = UnifiedOptions(name, exchange_url, settings.request_timeout_s, sandbox=sandbox)
    return UnifiedMarketData(options, settings, budget_path=budget_path(budgets, name, exchange_url, "requests"))


def budget_of(folder: Path | None, name: str, exchange_url: str | None, limit: float) -> SharedBudget | None:
    """What all processes of a home may spend at that address; None where no folder is given."""
    path = budget_path(folder, name, exchange_url, "weight")
    return None if path is None else SharedBudget(path, limit)


def order_budget_of(settings: Settings, folder: Path | None, name: str, exchange_url: str | None) -> OrderBudget:
    """The orders that the account may send, shared by all processes of a home where a folder is given."""
    return OrderBudget(
        capabilities_of(name).order_limit,
        budget_path(folder, name, exchange_url, "orders"),
        share_max=settings.execution.order_share_max,
        entry_share_max=settings.execution.entry_burst_share_max,
    )


def budget_path(folder: Path | None, name: str, exchange_url: str | None, unit: str) -> Path | None:
    """A file for each address and unit of counting: what stands in for an exchange has a limit of its own."""
    where = urlsplit(exchange_url).netloc.replace(":", "-") if exchange_url else "itself"
    return None if folder is None else folder / f"{name}-{where}-{unit}.budget"


def exchange_of(settings: Settings) -> str:
    """Whose dialect orders speak: the simulated exchange, also paper's, Binance's, whatever `venue.name` says."""
    return settings.venue.name if settings.mode == "live" else "binance"


def trading_venue(
    settings: Settings, secrets: ExchangeKeys, exchange_url: str | None, budgets: Path | None = None
) -> TradingVenue:
    """Where orders go; `budgets` as for market data.

    Raises ModeRefused, SettingsError (no address, no key, no sandbox, nothing known).
    """
    url, name = address_of(settings, exchange_url), exchange_of(settings)
    check_keys(name, secrets)
    if name == "binance" and not (settings.mode == "live" and settings.venue.sandbox):
        return BinanceTrading(
            url,
            secrets.exchange_api_key,
            secrets.exchange_api_secret,
            recv_window_ms=settings.execution.recv_window_ms,
            request_timeout_s=settings.market.request_timeout_s,
            read_attempts_max=settings.market.read_attempts_max,
            weight_per_minute=settings.exchange.weight_limit_per_minute,
            used_weight_share_max=settings.venue.used_weight_share_max,
            budget=budget_of(budgets, name, url, settings.exchange.weight_limit_per_minute),
            order_budget=order_budget_of(settings, budgets, name, url),
        )
    return unified_trading_venue(settings, secrets, url, budgets)


def unified_trading_venue(
    settings: Settings, secrets: ExchangeKeys, url: str | None, budgets: Path | None = None
) -> UnifiedTrading:
    """The venue that acts by the table of capabilities. Raises SettingsError."""
    name, sandbox = exchange_of(settings), settings.mode == "live" and settings.venue.sandbox
    known = capabilities_of(name)
    if known.open_orders_by_symbol and not settings.market.symbols:
        raise SettingsError(
            f"{name} lists open orders by symbol only",
            thing="market.symbols",
            value=[],
            repair="Name the symbols that are traded there",
        )
    if sandbox and not known.sandbox:
        raise SettingsError(
            "this exchange has no sandbox", thing="venue.sandbox", value=name, repair="Set venue.sandbox to false"
        )
    options = UnifiedOptions(
        name,
        url,
        settings.market.request_timeout_s,
        secrets.exchange_api_key,
        secrets.exchange_api_secret,
        secrets.exchange_api_passphrase,
        settings.execution.recv_window_ms,
        sandbox,
    )
    return UnifiedTrading(
        options,
        symbols=settings.market.symbols,
        read_attempts_max=settings.market.read_attempts_max,
        budget_path=budget_path(budgets, name, url, "account"),
        order_budget=order_budget_of(settings, budgets, name, url),
    )


def check_keys(name: str, secrets: ExchangeKeys) -> None:
    """Raises SettingsError where a part of the key is missing."""
    if not secrets.exchange_api_key or not secrets.exchange_api_secret:
        raise SettingsError(
            "the exchange's key or secret is missing",
            thing="exchange_api_key",
            repair="Set TRADE_PIPELINE_EXCHANGE_API_KEY and TRADE_PIPELINE_EXCHANGE_API_SECRET, or start the stack",
        )
    if capabilities_of(name).needs_passphrase and not secrets.exchange_api_passphrase:
        raise SettingsError(
            f"a key of {name} has a third part, and it is missing",
            thing="exchange_api_passphrase",
            repair="Set TRADE_PIPELINE_EXCHANGE_API_PASSPHRASE",
        )


def address_of(settings: Settings, exchange_url: str | None) -> str | None:
    """The address that stands in for the exchange's own; None is the real one, and live has no other.

    Raises ModeRefused (an address given to live), SettingsError (sim or paper without one).
    """
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
