"""Settings of the circuit breaker: when it opens, for whom, and how trading returns. None switches a limit off."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field, model_validator

from trade_pipeline.settings.base import Section


class BreakerSettings(Section):
    """Limits by dimension (CATALOGUE "Risk and targets"). Ratios are shares: 0.15 is 15 %."""

    drawdown_ratio_max: Decimal | None = Field(Decimal("0.15"), gt=0, lt=1)
    """Of the persisted peak of equity, unrealised profit included, flows taken out."""
    daily_loss_ratio_max: Decimal | None = Field(Decimal("0.05"), gt=0, lt=1)
    """Of the equity at the start of the trading day. It opens until somebody resets it: no clock closes it."""
    trading_day_start_hour: int = Field(0, ge=0, le=23)
    """UTC."""
    losing_streak_max: int | None = Field(12, ge=2, le=1000)
    """Closed trades in a row that lost, over all symbols."""
    symbol_losing_streak_max: int | None = Field(5, ge=2, le=1000)
    win_rate_min: Decimal | None = Field(None, ge=0, lt=1)
    win_rate_trades: int = Field(30, ge=5, le=1000)
    """How many of the last closed trades the win rate is taken over; fewer say nothing."""
    volatility_ratio_max: Decimal | None = Field(Decimal("0.03"), gt=0, lt=1)
    """Realised volatility of the equity for one minute, over the last hour."""
    volatility_multiple_max: Decimal | None = Field(Decimal(10), gt=1, le=1000)
    """How many times its own history the realised volatility of the last minutes may be: of all that is held (opens
    for the account), and of a symbol's price (opens for the symbol)."""
    volatility_recent_minutes: int = Field(15, ge=12, le=240)
    """The last minutes that are compared with the history before them."""
    spread_ratio_max: Decimal | None = Field(Decimal("0.02"), gt=0, lt=1)
    """Of a symbol that is held: best ask over best bid less 1. Opens for the symbol."""
    spread_multiple_max: Decimal | None = Field(Decimal(10), gt=1, le=1000)
    """How many times its usual spread a symbol's may be."""
    depth_share_min: Decimal | None = Field(Decimal("0.02"), gt=0, lt=1)
    """How much of its usual depth the top of a symbol's book must have, on its thinner side."""
    liquidity_recent_minutes: int = Field(5, ge=3, le=60)
    """Spread and depth of the last minutes are compared with the history before them."""
    history_minutes_min: int = Field(120, ge=30, le=1440)
    """A shorter history says nothing: then only the limits that need none count."""
    history_minutes_max: int = Field(1440, ge=60, le=10080)
    """Nothing older is usual any more."""
    error_ratio_max: Decimal | None = Field(Decimal("0.5"), gt=0, le=1)
    """Share of the guard's turns in `error_window_s` that the exchange did not answer."""
    error_window_s: float = Field(60.0, ge=10, le=3600)
    memory_ratio_max: Decimal | None = Field(Decimal("0.97"), gt=0, le=1)
    """Of the machine's memory in use."""
    cpu_ratio_max: Decimal | None = Field(None, gt=0, le=1)
    """Load of one minute per processor, as a share."""
    exposure_ratio_max: Decimal | None = Field(Decimal("0.9"), gt=0, le=1)
    """Managed positions as a share of equity."""
    interval_s: float = Field(3.0, ge=1, le=4)
    """How often the guard looks: entries must be cancelled within 5 s of an opening."""
    half_open_after_s: float = Field(900.0, ge=0, le=604_800)
    """How long it stays open at least, once nothing is beyond its limit any more."""
    stage_s: float = Field(600.0, ge=0, le=604_800)
    stage_size_ratios: tuple[Annotated[Decimal, Field(gt=0, le=1)], ...] = (Decimal("0.25"), Decimal("0.5"))
    """Shares of the wanted size while trading returns, in the order of their stages."""

    @model_validator(mode="after")
    def _returns_in_rising_steps(self) -> BreakerSettings:
        steps = list(self.stage_size_ratios)
        if not steps or steps != sorted(set(steps)):
            raise ValueError(f"stage_size_ratios {[str(step) for step in steps]} must rise, as 0.25, 0.5")
        return self

    @model_validator(mode="after")
    def _history_is_longer_than_what_it_is_compared_with(self) -> BreakerSettings:
        recent = max(self.volatility_recent_minutes, self.liquidity_recent_minutes)
        if self.history_minutes_max < self.history_minutes_min + recent:
            raise ValueError(
                f"history_minutes_max {self.history_minutes_max} must hold history_minutes_min "
                f"{self.history_minutes_min} and the {recent} recent minutes"
            )
        return self

    @model_validator(mode="after")
    def _a_symbol_is_stopped_before_the_account(self) -> BreakerSettings:
        symbol, account = self.symbol_losing_streak_max, self.losing_streak_max
        if symbol is not None and account is not None and symbol > account:
            raise ValueError(f"symbol_losing_streak_max {symbol} must not exceed losing_streak_max {account}")
        return self

    @model_validator(mode="after")
    def _a_bad_day_ends_before_the_drawdown(self) -> BreakerSettings:
        day, drawdown = self.daily_loss_ratio_max, self.drawdown_ratio_max
        if day is not None and drawdown is not None and day > drawdown:
            raise ValueError(f"daily_loss_ratio_max {day} must not exceed drawdown_ratio_max {drawdown}")
        return self
