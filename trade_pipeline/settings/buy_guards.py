"""Settings of the buy guards: what a symbol and its market must look like before a purchase. None: not asked."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from trade_pipeline.settings.base import Section


class BuyGuardSettings(Section):
    """Each guard that is switched on gives a verdict on every buy, and the ledger keeps it."""

    idle_ratio_max: float | None = Field(0.5, ge=0, le=1)
    """Volume: share of the last bars without a single trade."""
    spread_ratio_max: Decimal | None = Field(Decimal("0.01"), gt=0, lt=1)
    """Best ask over best bid less 1, at the moment of sending."""
    below_average_ratio_max: float | None = Field(0.10, gt=0, lt=1)
    """Moving average: how far below its slow average a price may be bought."""
    fall_ratio_max: float | None = Field(0.15, gt=0, lt=1)
    """Falling coin: how far the close may be below the highest price of the channel."""
    positions_max: int | None = Field(25, ge=1, le=1000)
    """Symbols that may be held at once, the one to be bought included."""
    budget_quote_max: Decimal | None = Field(None, gt=0, le=10**12)
    """What all positions together may have cost, this purchase included."""
