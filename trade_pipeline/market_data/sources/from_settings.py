"""Builds the cascade of a stack from its settings. Nothing connects here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from trade_pipeline.errors import SettingsError
from trade_pipeline.market_data.sources.cascade import Cascade
from trade_pipeline.market_data.sources.figures import Figures
from trade_pipeline.market_data.sources.protocol import BarSource
from trade_pipeline.market_data.sources.venue_source import as_source
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline.settings.sources import SECOND_SIMULATION
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline.venues.factory import make_market_data_venue, market_data_venue


def cascade_of(settings: Settings, home: Home, environ: Mapping[str, str], now: Callable[[], datetime]) -> Cascade:
    """Primary and secondaries in their order. Raises ModeRefused, SettingsError."""
    primary = as_source(market_data_venue(settings, environ, home.budgets), f"{settings.mode}-primary")
    sources = [primary, *(_secondary(name, settings, home) for name in settings.sources.secondary)]
    if primary.name in {source.name for source in sources[1:]}:
        raise SettingsError(
            "a source cannot stand in for itself",
            thing="sources.secondary",
            value=primary.name,
            repair="Name other exchanges than venue.name",
        )
    return Cascade(sources, settings.sources, figures=figures_of(settings, home), now=now)


def figures_of(settings: Settings, home: Home) -> Figures:
    """The reliability of this home's sources, as all of its processes count it."""
    return Figures(home.source_figures, settings.sources.figures_days)


def _secondary(name: str, settings: Settings, home: Home) -> BarSource:
    url = settings.sources.secondary_urls.get(name)
    if url is None and settings.mode == "sim":
        raise SettingsError(
            "a real exchange cannot stand in for the simulated one",
            thing=f"sources.secondary_urls.{name}",
            repair="Name the address of a second simulated exchange, or leave sources.secondary empty",
        )
    if url is not None and settings.mode == "live":
        raise SettingsError(
            "live trading reads real exchanges only",
            thing=f"sources.secondary_urls.{name}",
            value=url,
            repair="Remove the address",
        )
    if name == "binance" and url is not None:
        return BinanceMarketData(url, settings.market, source=SECOND_SIMULATION)
    return as_source(make_market_data_venue(name, settings.market, exchange_url=url, budgets=home.budgets), name)
