"""From measures and limits to the breakers' next states. Pure: the same measures, the same states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.execution.breaker.state import CLOSED, HALF_OPEN, OPEN, WHOLE_ACCOUNT
from trade_pipeline.ledger.records import BreakerState
from trade_pipeline.settings.breaker import BreakerSettings

BY_HAND = "by hand"
UNTIL_RESET = frozenset({"daily_loss", BY_HAND})
"""Dimensions that no clock closes."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured, by the limits' names without _max or _min; a missing one was not measurable.

    `flags` are reasons that open at once: banned, retries_exhausted -> what happened.
    """

    account: Mapping[str, Decimal] = field(default_factory=dict)
    symbols: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)


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
        after = _next(before, list(_breaches(scope, measures, settings)), settings, now)
        if after is not before:
            changed.append(after)
    return changed


def _next(
    state: BreakerState, breaches: list[tuple[str, str]], settings: BreakerSettings, now: datetime
) -> BreakerState:
    if breaches:
        if state.state == OPEN:
            return _hardened(state, breaches, now)
        # What only a person ends comes first: the others would let the clock close it.
        dimension, reason = min(breaches, key=lambda breach: breach[0] not in UNTIL_RESET)
        return replace(
            state, state=OPEN, dimension=dimension, reason=reason, opened_at=now, changed_at=now, stage=0, detail={}
        )
    if state.state == OPEN and state.dimension not in UNTIL_RESET:
        assert state.opened_at is not None, "an open breaker knows since when"
        if now - state.opened_at >= timedelta(seconds=settings.half_open_after_s):
            return replace(state, state=HALF_OPEN, changed_at=now, stage=0)
    if state.state == HALF_OPEN and now - state.changed_at >= timedelta(seconds=settings.stage_s):
        if state.stage + 1 < len(settings.stage_size_ratios):
            return replace(state, changed_at=now, stage=state.stage + 1)
        return replace(state, state=CLOSED, changed_at=now, stage=0, opened_at=None)
    return state


def _hardened(state: BreakerState, breaches: list[tuple[str, str]], now: datetime) -> BreakerState:
    """An open breaker keeps its first reason, unless one that no clock closes joins a reason that a clock does."""
    until_reset = [breach for breach in breaches if breach[0] in UNTIL_RESET]
    if state.dimension in UNTIL_RESET or not until_reset:
        return state
    dimension, reason = until_reset[0]
    return replace(state, dimension=dimension, reason=f"{reason}; open before: {state.reason}", changed_at=now)


def _breaches(scope: str, measures: Measures, settings: BreakerSettings) -> Iterator[tuple[str, str]]:
    """(dimension, reason) of every limit that is passed, in a fixed order."""
    if scope == WHOLE_ACCOUNT:
        yield from sorted(measures.flags.items())
        values = measures.account
        above = {
            "daily_loss": settings.daily_loss_ratio_max,
            "drawdown": settings.drawdown_ratio_max,
            "losing_streak": settings.losing_streak_max,
            "volatility": settings.volatility_ratio_max,
            "error_rate": settings.error_ratio_max,
            "memory": settings.memory_ratio_max,
            "cpu": settings.cpu_ratio_max,
            "exposure": settings.exposure_ratio_max,
        }
    else:
        values = measures.symbols.get(scope, {})
        above = {"losing_streak": settings.symbol_losing_streak_max, "spread": settings.spread_ratio_max}
    for dimension, limit in above.items():
        value = values.get(dimension)
        if limit is not None and value is not None and value >= limit:
            yield dimension, f"{dimension.replace('_', ' ')} {_text(value)} is at or beyond {_text(Decimal(limit))}"
    rate, least = values.get("win_rate"), settings.win_rate_min
    if scope == WHOLE_ACCOUNT and rate is not None and least is not None and rate < least:
        yield "win_rate", f"win rate {_text(rate)} is below {_text(least)}"


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}" if value == value.to_integral_value() else f"{value:.4f}"
