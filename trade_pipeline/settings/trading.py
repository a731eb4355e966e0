"""Settings of features, strategies, sizing and execution."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from trade_pipeline.settings.base import Section


class FeatureSettings(Section):
    """Windows in bars."""

    ema_fast_bars: int = Field(20, ge=2, le=10_000)
    ema_slow_bars: int = Field(60, ge=3, le=10_000)
    rsi_bars: int = Field(14, ge=2, le=10_000)
    atr_bars: int = Field(14, ge=2, le=10_000)
    adx_bars: int = Field(14, ge=2, le=10_000)
    macd_fast_bars: int = Field(12, ge=2, le=10_000)
    macd_slow_bars: int = Field(26, ge=3, le=10_000)
    macd_signal_bars: int = Field(9, ge=2, le=10_000)
    bollinger_bars: int = Field(20, ge=2, le=10_000)
    bollinger_width: float = Field(2.0, gt=0, le=100)
    donchian_bars: int = Field(30, ge=2, le=10_000)
    volatility_bars: int = Field(60, ge=5, le=10_000)
    volume_bars: int = Field(60, ge=5, le=10_000)

    @model_validator(mode="after")
    def _fast_is_faster(self) -> FeatureSettings:
        if self.ema_fast_bars >= self.ema_slow_bars:
            raise ValueError(f"ema_fast_bars {self.ema_fast_bars} must be below ema_slow_bars {self.ema_slow_bars}")
        if self.macd_fast_bars >= self.macd_slow_bars:
            raise ValueError(f"macd_fast_bars {self.macd_fast_bars} must be below macd_slow_bars {self.macd_slow_bars}")
        return self

    @property
    def longest_bars(self) -> int:
        """The largest window: rows before this many bars are warm-up."""
        return max(int(value) for name, value in self.model_dump().items() if name.endswith("_bars"))


class TrendSettings(Section):
    """Trend following: hold while the fast average leads and the trend is strong."""

    enabled: bool = True
    weight: float = Field(0.5, ge=0, le=1)
    adx_min: float = Field(22.0, ge=0, le=100)
    rsi_max: float = Field(78.0, gt=0, le=100)


class MeanReversionSettings(Section):
    """Mean reversion: buy below the lower band in a range, leave at the middle."""

    enabled: bool = True
    weight: float = Field(0.5, ge=0, le=1)
    rsi_entry_max: float = Field(32.0, ge=0, le=100)
    rsi_exit_min: float = Field(50.0, ge=0, le=100)
    band_entry_max: float = Field(0.05, ge=-10, le=10)
    band_exit_min: float = Field(0.5, ge=-10, le=10)


class RegimeSettings(Section):
    """Limits of the regime classifier that the strategies read."""

    adx_trend_min: float = Field(20.0, ge=0, le=100)
    """Trend strength from which a symbol counts as trending."""
    breakout_volume_zscore_min: float = Field(1.0, ge=-100, le=100)
    """Unusual volume without which a close outside the channel is no breakout."""
    volatile_multiple: float = Field(2.0, gt=1, le=1000)
    """Realised volatility above this multiple of its own long-run mean is volatile."""
    volatile_bars: int = Field(240, ge=60, le=10_000)
    idle_ratio_max: float = Field(0.2, ge=0, le=1)
    """Share of bars without a trade beyond which a symbol is illiquid."""
    atr_ratio_min: float = Field(0.00002, ge=0, lt=1)
    """A price that moves less than this share per bar is not traded in earnest."""


class StrategySettings(Section):
    history_bars_min: int = Field(240, ge=1, le=10_000)
    """Bars since a symbol's first one before which every score is HOLD; keep it below `market.warmup_bars`.

    A strategy that holds from an entry until an exit cannot tell, on a short history, whether it had entered.
    """
    synthetic_refused_by: tuple[Literal["trend", "mean_reversion"], ...] = ()
    """Strategies that have no opinion (HOLD) on a flagged bar, in which nothing was traded."""
    regimes: RegimeSettings = RegimeSettings()
    trend: TrendSettings = TrendSettings()
    mean_reversion: MeanReversionSettings = MeanReversionSettings()

    @property
    def enabled_weights(self) -> dict[str, float]:
        """Share of the risk budget by name of each strategy that is switched on."""
        sections: dict[str, TrendSettings | MeanReversionSettings] = {
            "trend": self.trend,
            "mean_reversion": self.mean_reversion,
        }
        return {name: section.weight for name, section in sections.items() if section.enabled}


class PortfolioSettings(Section):
    """Sizing and limits, as shares of equity."""

    risk_per_position: Decimal = Field(Decimal("0.005"), gt=0, le=Decimal("0.1"))
    """Share of equity lost when a position is stopped out."""
    stop_atr_multiple: Decimal = Field(Decimal("3"), gt=0, le=100)
    stop_distance_min_ratio: Decimal = Field(Decimal("0.004"), gt=0, lt=1)
    """Stops are never nearer than this share of the price."""
    position_weight_max: Decimal = Field(Decimal("0.10"), gt=0, le=1)
    total_weight_max: Decimal = Field(Decimal("0.60"), gt=0, le=1)
    score_min: float = Field(0.1, ge=0, le=1)
    """Combined scores below this are FLAT."""

    @model_validator(mode="after")
    def _one_position_fits_the_total(self) -> PortfolioSettings:
        if self.position_weight_max > self.total_weight_max:
            raise ValueError(
                f"position_weight_max {self.position_weight_max} exceeds total_weight_max {self.total_weight_max}"
            )
        return self


class ExecutionSettings(Section):
    """How targets become orders (TRADING rules 2 to 5, RELIABILITY 1 to 3)."""

    installation_prefix: str = Field("7c01", pattern="^[0-9a-f]{4}$")
    """First four characters of every client order id of this installation."""
    band_ratio: Decimal = Field(Decimal("0.10"), ge=0, le=1)
    band_notional_multiple: Decimal = Field(Decimal("1.1"), ge=1, le=100)
    entry_slippage_ratio_max: Decimal = Field(Decimal("0.002"), ge=0, lt=1)
    """How far above the best ask (below the best bid) a marketable limit order may reach."""
    fill_wait_s_max: float = Field(2.0, ge=0, le=30)
    """How long an execute run waits for a fill before it leaves the order to the guard."""
    lease_ttl_s: float = Field(15.0, ge=6, le=120)
    """How long the right to send for the account lasts; longer than recv_window_ms by 5 s at least."""
    recv_window_ms: int = Field(5000, ge=100, le=60_000)
    decision_age_s_max: float = Field(30.0, gt=0, le=3600)
    """A decision older than this sends nothing that increases exposure."""
    order_share_max: float = Field(1.0, ge=0.2, le=1)
    """Of the orders that the exchange allows the account within its window: less, where others trade on it too."""
    entry_burst_share_max: float = Field(0.7, ge=0.1, le=0.9)
    """Of those that may leave at once: where purchases wait. The rest is for exits and protective orders."""

    @model_validator(mode="after")
    def _a_lease_outlives_a_request(self) -> ExecutionSettings:
        if self.lease_ttl_s < self.recv_window_ms / 1000 + 5:
            raise ValueError(
                f"lease_ttl_s {self.lease_ttl_s:g} must exceed recv_window_ms {self.recv_window_ms} by 5 s at least"
            )
        return self


StopPolicy = Literal["keep", "cancel_entries", "flatten"]
