"""Which of an exchange's symbols are traded, where `market.symbols` names none."""

from __future__ import annotations

from pydantic import Field, model_validator

from trade_pipeline.settings.base import Section


class UniverseSettings(Section):
    """Filters of the hourly scan; a symbol that fails one is left out, with the reason in the asset `universe`."""

    discovery: bool = True
    """Scan the exchange every hour. False: every active symbol in the quote asset, by name."""
    blacklist: tuple[str, ...] = ()
    """Symbols that are never traded, as BASE/QUOTE with * and ?: "USD*/USDT", "*UP/USDT"."""
    age_days_min: float = Field(0.0, ge=0, le=36_500)
    """Days since the first bar; a symbol whose first bar is not known fails. 0 asks for no age."""
    day_volume_quote_min: float = Field(0.0, ge=0, le=1e15)
    """Traded in the last 24 hours, in the quote asset."""
    spread_ratio_max: float = Field(0.02, gt=0, le=2)
    """Ask less bid, over their middle."""
    day_range_ratio_min: float = Field(0.0, ge=0, le=1000)
    """High less low of 24 hours, over the low: the volatility of a scan."""
    day_range_ratio_max: float = Field(3.0, gt=0, le=1000)
    price_min: float = Field(0.0, ge=0, le=1e15)
    price_max: float | None = Field(None, gt=0, le=1e15)
    stays_rank_ratio: float = Field(1.25, ge=1, le=1000)
    """A symbol once chosen stays while its rank by volume is within `market.symbols_max` times this."""

    @model_validator(mode="after")
    def _limits_are_in_order(self) -> UniverseSettings:
        if self.day_range_ratio_min >= self.day_range_ratio_max:
            raise ValueError("day_range_ratio_min must be below day_range_ratio_max")
        if self.price_max is not None and self.price_min >= self.price_max:
            raise ValueError("price_min must be below price_max")
        return self
