"""Settings of exits: when a position is left, how, and what protects it meanwhile (TRADING rules 13 to 18).

Stops rest on the exchange always. Everything else is off until it is set.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from trade_pipeline.settings.base import Section

TacticKind = Literal["limit_gtc", "ioc", "market"]


class ProfitStepSettings(Section):
    """From `after_minutes` in a position on, `profit_ratio` is enough to leave it whole; -1 is enough always."""

    after_minutes: int = Field(ge=0, le=6_000_000)
    profit_ratio: Decimal = Field(ge=-1, le=100)


class StageSettings(Section):
    """At this profit, sell this share of what was held when the first stage was reached."""

    profit_ratio: Decimal = Field(gt=0, le=100)
    share: Decimal = Field(gt=0, le=1)


class TacticSettings(Section):
    """One step of selling: how, how long to wait for it, and how far below the price at the decision it may go."""

    kind: TacticKind
    wait_s: float = Field(0.0, ge=0, le=600)
    slippage_ratio_max: Decimal | None = Field(None, ge=0, lt=1)


class TrailingSettings(Section):
    """A stop that follows the best price since the entry."""

    enabled: bool = False
    distance_ratio: Decimal = Field(Decimal("0.02"), gt=0, lt=1)
    """How far below the best price the stop follows, as a share of that price."""
    positive_distance_ratio: Decimal | None = Field(None, gt=0, lt=1)
    """The distance once the profit is beyond `activation_profit_ratio`; null: the same."""
    activation_profit_ratio: Decimal = Field(Decimal("0"), ge=0, lt=100)
    only_when_activated: bool = False
    """Nothing trails below `activation_profit_ratio`."""
    atr_multiple: Decimal | None = Field(None, gt=0, le=100)
    """Follow at this many average true ranges instead of a share, where that is tighter."""
    move_ratio_min: Decimal = Field(Decimal("0.001"), ge=0, lt=1)
    """The resting stop is moved only when it would rise by more than this share of its price."""

    @model_validator(mode="after")
    def _activation_means_something(self) -> TrailingSettings:
        if self.only_when_activated and self.activation_profit_ratio <= 0:
            raise ValueError("trailing.only_when_activated needs an activation_profit_ratio above 0")
        return self


class SwitchingSettings(Section):
    """Which order rests: the stop, or a take-profit near the target. Positions on the way from stop (0) to target (1).

    Only one can rest: each locks the coins (TRADING 14). The other one is watched.
    """

    enabled: bool = False
    stop_threshold: Decimal = Field(Decimal("0.60"), gt=0, lt=1)
    """Down here on the way to the target the stop rests again. This is never held back by the cool-down."""
    profit_threshold: Decimal = Field(Decimal("0.90"), gt=0, lt=1)
    """From here on the take-profit rests."""
    cooldown_s: float = Field(60.0, ge=1, le=86_400)
    """After a switch, no take-profit replaces a stop for so long."""

    @model_validator(mode="after")
    def _thresholds_are_in_order(self) -> SwitchingSettings:
        if self.stop_threshold >= self.profit_threshold:
            raise ValueError(
                f"switching.stop_threshold {self.stop_threshold} must be below "
                f"profit_threshold {self.profit_threshold}: else protection would switch with every trade"
            )
        return self


class ExitSettings(Section):
    """Protection of open positions (TRADING rules 13 to 18)."""

    guard_interval_s: float = Field(1.0, ge=0.1, le=10)
    account_interval_s: float = Field(5.0, ge=1, le=60)
    sweep_interval_s: float = Field(600.0, ge=60, le=86_400)
    unprotected_s_max: float = Field(10.0, gt=0, le=3600)
    lock_cooldown_s: float = Field(1800.0, ge=0, le=2_592_000)
    stop_limit_offset_ratio: Decimal = Field(Decimal("0.005"), gt=0, lt=1)
    stop_loss_ratio: Decimal | None = Field(None, gt=0, lt=1)
    """Loss at which a position is left; null: the distance that sizing used."""
    atr_stop_multiple: Decimal | None = Field(None, gt=0, le=100)
    """The stop in average true ranges of the entry; goes before `stop_loss_ratio`."""
    atr_target_multiple: Decimal | None = Field(None, gt=0, le=1000)
    """A target in average true ranges of the entry."""
    take_profit: tuple[ProfitStepSettings, ...] = ()
    """Steps of profit that are enough, by minutes since the entry: [{after_minutes: 0, profit_ratio: 0.05}]."""
    stages: tuple[StageSettings, ...] = ()
    """Partial exits in order: [{profit_ratio: 0.02, share: 0.5}]."""
    trailing: TrailingSettings = TrailingSettings()
    breakeven_profit_ratio: Decimal | None = Field(None, gt=0, le=100)
    """Profit from which the stop stands at the entry."""
    breakeven_margin_ratio: Decimal = Field(Decimal("0.002"), ge=0, lt=1)
    """How far above the entry it then stands, so that fees are covered."""
    holding_hours_max: float | None = Field(None, gt=0, le=100_000)
    """A position is left after so many hours; null: never."""
    switching: SwitchingSettings = SwitchingSettings()
    tactics: tuple[TacticSettings, ...] = (
        TacticSettings(kind="limit_gtc", wait_s=3.0, slippage_ratio_max=Decimal(0)),
        TacticSettings(kind="ioc", wait_s=1.0, slippage_ratio_max=Decimal("0.002")),
        TacticSettings(kind="market"),
    )
    """How targets, stages and holding times sell, step by step."""
    stop_tactics: tuple[TacticSettings, ...] = (TacticSettings(kind="market"),)
    """How a breached stop sells."""
    intent_ttl_s: float = Field(60.0, ge=1, le=3600)
    """An exit for the same reason is not begun again for so long while its order may still be filled."""

    @model_validator(mode="after")
    def _steps_are_in_order(self) -> ExitSettings:
        _ascending("take_profit.after_minutes", [Decimal(step.after_minutes) for step in self.take_profit])
        _ascending("stages.profit_ratio", [stage.profit_ratio for stage in self.stages])
        share = sum((stage.share for stage in self.stages), Decimal(0))
        if share > 1:
            raise ValueError(f"the shares of the stages add up to {share}: at most 1 of a position can be sold")
        return self

    @model_validator(mode="after")
    def _every_exit_ends(self) -> ExitSettings:
        for name, steps in (("tactics", self.tactics), ("stop_tactics", self.stop_tactics)):
            if not steps or steps[-1].kind != "market":
                raise ValueError(f"the last step of {name} must be market: an exit that may never fill protects nobody")
            if any(step.kind == "limit_gtc" and step.wait_s <= 0 for step in steps):
                raise ValueError(f"a limit_gtc step of {name} needs a wait_s above 0: it would be cancelled at once")
            waits_s = sum(step.wait_s for step in steps)
            if waits_s >= self.unprotected_s_max:
                raise ValueError(
                    f"the steps of {name} wait for {waits_s:g} s in all, and meanwhile no stop rests: "
                    f"keep them below unprotected_s_max ({self.unprotected_s_max:g} s)"
                )
        return self

    @model_validator(mode="after")
    def _levels_are_in_order(self) -> ExitSettings:
        breakeven = self.breakeven_profit_ratio
        if breakeven is not None and breakeven <= self.breakeven_margin_ratio:
            raise ValueError(
                f"breakeven_profit_ratio {breakeven} must be above breakeven_margin_ratio "
                f"{self.breakeven_margin_ratio}: the stop would stand above the price"
            )
        if self.switching.enabled and not self.take_profit and self.atr_target_multiple is None:
            raise ValueError("switching needs a target: set take_profit or atr_target_multiple")
        if self.account_interval_s > self.unprotected_s_max:
            raise ValueError(
                f"account_interval_s {self.account_interval_s} must not exceed unprotected_s_max "
                f"{self.unprotected_s_max}: a new position would not be seen in time"
            )
        return self


def _ascending(name: str, values: Sequence[Decimal]) -> None:
    for before, after in pairwise(values):
        if before >= after:
            raise ValueError(f"{name} must ascend: {after} follows {before}")
