"""Settings of the real exchange that paper and live modes look at. The simulated one has a section of its own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trade_pipeline.settings.base import Section

VenueName = Literal["binance", "kraken", "bybit", "okx", "coinbase", "kucoin", "mexc"]


class VenueSettings(Section):
    """Which exchange, and how much of its limits we take."""

    name: VenueName = "binance"
    """The exchange of paper and live modes. `sim` always trades on the simulated one, which speaks as Binance does."""
    sandbox: bool = False
    """Use the exchange's address for play money, where it has one."""
    used_weight_share_max: float = Field(0.7, gt=0, le=1)
    """Share of Binance's weight a minute, counted by the exchange for the whole address, from which on reads are
    slowed down. Orders and cancels never are."""
