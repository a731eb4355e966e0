"""From measures and limits to the breakers' next states. Pure: the same measures, the same states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.execution.breaker.state import (
    CALM_SINCE,
    CLOSED,
    COUNTED_UNTIL,
    HALF_OPEN,
    OPEN,
    UNTIL_RESET,
    WHOLE_ACCOUNT,
    calm_since,
    counted_until,
    kept,
)
from trade_pipeline.ledger.records import BreakerState
from trade_pipeline.settings.breaker import BreakerSettings

OF_TRADES = frozenset({"losing_streak", "win_rate"})
"""Dimensions that only another closed trade can change."""
OF_BOOKS = frozenset({"volatility_surge", "spread", "spread_surge", "depth"})
"""Dimensions of a symbol that only show while somebody reads how it is quoted."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured, by the limits' names without _max or _min; a missing one was not measurable.

    `flags` are reasons that open at once: banned -> what happened. `traded_at`: scope -> when its newest trade closed.
    """

    account: Mapping[str, Decimal] = field(default_factory=dict)
    symbols: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    traded_at: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit and the side on which it is passed: at or above it, or below it."""

    at: Decimal
    is_floor: bool = False

    def passed_by(self, value: Decimal) -> bool:
        return value < self.at if self.is_floor else value >= self.at


def limits_of(scope: str, settings: BreakerSettings) -> dict[str, Limit]:
    """Dimension -> limit of the account or of any symbol, without those that are switched off."""
    if scope == WHOLE_ACCOUNT:
        found = {
            "daily_loss": settings.daily_loss_ratio_max,
            "drawdown": settings.drawdown_ratio_max,
            "losing_streak": settings.losing_streak_max,
            "volatility": settings.volatility_ratio_max,
            "volatility_surge": settings.volatility_multiple_max,
            "error_rate": settings.error_ratio_max,
            "memory": settings.memory_ratio_max,
            "cpu": settings.cpu_ratio_max,
            "exposure": settings.exposure_ratio_max,
        }
        floors = {"win_rate": settings.win_rate_min}
    else:
        found = {
            "losing_streak": settings.symbol_losing_streak_max,
            "volatility_surge": settings.volatility_multiple_max,
            "spread": settings.spread_ratio_max,
            "spread_surge": settings.spread_multiple_max,
        }
        floors = {"depth": settings.depth_share_min}
    limits = {name: Limit(Decimal(at)) for name, at in found.items() if at is not None}
    return limits | {name: Limit(at, is_floor=True) for name, at in floors.items() if at is not None}


def evaluate(
    account: str,
    measures: Measures,
    settings: BreakerSettings,
    states: Sequence[BreakerState],
    now: datetime,
) -> list[BreakerState]:
    """The breakers that change now; an empty list leaves all as they are."""
    known = {state.scope: state for state in states}
    scopes = [WHOLE_ACCOUNT, *sorted({*measures.symbols, *known} - {WHOLE_ACCOUNT})]
    changed = []
    for scope in scopes:
        before = known.get(scope) or BreakerState(account, scope, CLOSED, "", "", None, now)
        values = measures.account if scope == WHOLE_ACCOUNT else measures.symbols.get(scope, {})
        limits = limits_of(scope, settings)
        news = values if _has_traded(before, measures.traded_at.get(scope)) else _without_trades(values)
        breaches = list(_breaches(measures.flags if scope == WHOLE_ACCOUNT else {}, news, limits))
        # What opened it and cannot be measured now is not known to be inside its limit.
        is_calm = not breaches and (before.dimension not in limits or before.dimension in values)
        after = _next(before, breaches, is_calm, settings, now)
        if after is not before:
            changed.append(after)
    return changed


def _has_traded(state: BreakerState, traded_at: datetime | None) -> bool:
    """Whether a trade has closed that has not opened this breaker yet."""
    counted = counted_until(state)
    return counted is None or (traded_at is not None and traded_at > counted)


def _without_trades(values: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: value for name, value in values.items() if name not in OF_TRADES}


def _next(
    state: BreakerState, breaches: list[tuple[str, str]], is_calm: bool, settings: BreakerSettings, now: datetime
) -> BreakerState:
    if state.state == OPEN:
        return _hardened(state, breaches, now) or _returning(state, is_calm, settings, now)
    if breaches:
        # What only a person ends comes first: the others would let the clock close it.
        dimension, reason = min(breaches, key=lambda breach: breach[0] not in UNTIL_RESET)
        detail = {**kept(state), COUNTED_UNTIL: now.isoformat()}
        return BreakerState(state.account, state.scope, OPEN, dimension, reason, now, now, detail=detail)
    if state.state == HALF_OPEN and now - state.changed_at >= timedelta(seconds=settings.stage_s):
        if state.stage + 1 < len(settings.stage_size_ratios):
            return replace(state, changed_at=now, stage=state.stage + 1)
        return replace(state, state=CLOSED, changed_at=now, stage=0, opened_at=None, detail=kept(state))
    return state


def _hardened(state: BreakerState, breaches: list[tuple[str, str]], now: datetime) -> BreakerState | None:
    """An open breaker keeps its first reason, unless one that no clock closes joins a reason that a clock does."""
    until_reset = [breach for breach in breaches if breach[0] in UNTIL_RESET]
    if state.dimension in UNTIL_RESET or not until_reset:
        return None
    dimension, reason = until_reset[0]
    told = f"{reason}; open before: {state.reason}"
    return replace(state, dimension=dimension, reason=told, changed_at=now, detail=kept(state))


def _returning(state: BreakerState, is_calm: bool, settings: BreakerSettings, now: datetime) -> BreakerState:
    """The clock of the return runs from the end of the breach, not from the opening."""
    if state.dimension in UNTIL_RESET:
        return state
    since = calm_since(state)
    if not is_calm:
        return state if since is None else replace(state, detail=kept(state))
    if since is None:
        since = now
        state = replace(state, detail={**kept(state), CALM_SINCE: now.isoformat()})
    if now - since >= timedelta(seconds=settings.half_open_after_s):
        return replace(state, state=HALF_OPEN, changed_at=now, stage=0, detail=kept(state))
    return state


def _breaches(
    flags: Mapping[str, str], values: Mapping[str, Decimal], limits: Mapping[str, Limit]
) -> Iterator[tuple[str, str]]:
    """(dimension, reason) of every limit that is passed, in a fixed order."""
    yield from sorted(flags.items())
    for dimension, limit in limits.items():
        value = values.get(dimension)
        if value is not None and limit.passed_by(value):
            side = "below" if limit.is_floor else "at or beyond"
            yield dimension, f"{dimension.replace('_', ' ')} {_text(value)} is {side} {_text(limit.at)}"


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}" if value == value.to_integral_value() else f"{value:.4f}"
