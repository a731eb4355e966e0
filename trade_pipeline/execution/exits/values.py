"""What exit rules are made of: the rules themselves, what is known of a position, what is remembered of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

LONG, SHORT = 1, -1


class ExitReason(StrEnum):
    """Why a position is left, as reports name it."""

    STOP_LOSS = "stop_loss"
    TRAILING_STOP = "trailing_stop_loss"
    TARGET = "roi"
    STAGE = "stage"
    HOLDING_TIME = "holding_time"
    SIGNAL = "exit_signal"
    LIQUIDATION = "liquidation"
    FORCED = "force_exit"


URGENT = frozenset({ExitReason.STOP_LOSS, ExitReason.TRAILING_STOP, ExitReason.LIQUIDATION})
"""Exits whose price gets worse while one waits."""


@dataclass(frozen=True, slots=True)
class ProfitStep:
    """From `after_minutes` in a position on, `profit_ratio` is enough to leave it; -1 is enough always."""

    after_minutes: int
    profit_ratio: Decimal


@dataclass(frozen=True, slots=True)
class Stage:
    """At `profit_ratio`, sell `share` of what was held when the first stage was reached."""

    profit_ratio: Decimal
    share: Decimal


@dataclass(frozen=True, slots=True)
class Trailing:
    """A stop that follows the best price at a distance, as shares of that price.

    Profit beyond `activation_ratio` uses `positive_ratio` where there is one; with `only_when_activated` nothing
    trails before.
    """

    distance_ratio: Decimal
    positive_ratio: Decimal | None = None
    activation_ratio: Decimal = Decimal(0)
    only_when_activated: bool = False


@dataclass(frozen=True, slots=True)
class ExitRules:
    """Which exits are on; None and empty switch one off. Ratios are profit or loss as shares of the entry."""

    stop_ratio: Decimal | None = None
    """Loss at which to leave; None: the distance that sizing used."""
    targets: tuple[ProfitStep, ...] = ()
    stages: tuple[Stage, ...] = ()
    trailing: Trailing | None = None
    atr_stop_multiple: Decimal | None = None
    atr_target_multiple: Decimal | None = None
    atr_trailing_multiple: Decimal | None = None
    breakeven_at_ratio: Decimal | None = None
    """Profit from which the stop stands at the entry plus `breakeven_margin_ratio`."""
    breakeven_margin_ratio: Decimal = Decimal(0)
    holding_max: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a position. `price` (average) and the distances in quote; `sign` is LONG or SHORT.

    Only simulations know a `sign` of SHORT, a `leverage` other than 1 and a `liquidation_price`.
    """

    price: Decimal
    opened_at: datetime
    stop_distance: Decimal | None = None
    atr: Decimal | None = None
    sign: int = LONG
    leverage: Decimal = Decimal(1)
    liquidation_price: Decimal | None = None

    def minutes_held(self, now: datetime) -> int:
        """Whole minutes; 0 where the exchange's clock, which dates the entry, is ahead of ours."""
        return max(int((now - self.opened_at).total_seconds() // 60), 0)


@dataclass(frozen=True, slots=True)
class ExitMemory:
    """What has to outlive a restart: the best price seen and where it has pulled the stop, in quote."""

    best: Decimal | None = None
    trailed_stop: Decimal | None = None
    trailed_ratio: Decimal | None = None
    """Share of the price by which the stop trailed when it was last moved."""
    stages_done: int = 0


@dataclass(frozen=True, slots=True)
class Prices:
    """The worst and the best price since the last look, from the position's side; equal for one trade."""

    worst: Decimal
    best: Decimal

    @classmethod
    def of(cls, last: Decimal) -> Prices:
        return cls(last, last)


@dataclass(frozen=True, slots=True)
class ExitDecision:
    """Leave at `price` (the level that was reached). `keep_share`: what stays of the amount that stages count from."""

    reason: ExitReason
    price: Decimal
    keep_share: Decimal = Decimal(0)

    @property
    def urgent(self) -> bool:
        return self.reason in URGENT
