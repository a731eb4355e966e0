"""What is known of a symbol at a decision: the strategies' scores and the last bar, or why it must be HOLD.

Belongs here: reading frames into values and rule 1 of the targets (what is unknown is HOLD). Sizing does not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import isfinite

import polars as pl

from trade_pipeline.portfolio.sizing import exact


@dataclass(frozen=True, slots=True)
class LastBar:
    """Close and ATR in quote units; None where unknown."""

    close: Decimal | None
    atr: Decimal | None


@dataclass(frozen=True, slots=True)
class Combined:
    """The weighted mean of the scores above 0, and what each strategy put in (weight x score)."""

    score: float
    contributions: Mapping[str, Decimal]


def last_bars(features: pl.DataFrame, as_of: datetime) -> dict[str, LastBar]:
    """Symbol -> close and ATR of the bar that closed at `as_of`; a symbol whose bar is late has no entry."""
    rows = features.filter(pl.col("close_time") == as_of).select("symbol", "close", "atr")
    return {symbol: LastBar(_number(close), _number(atr)) for symbol, close, atr in rows.iter_rows()}


def scores_by_symbol(signals: pl.DataFrame, as_of: datetime) -> dict[str, dict[str, float | None]]:
    """Symbol -> strategy -> score at `as_of`; None where a strategy has no opinion. NaN is no opinion."""
    rows = signals.filter(pl.col("close_time") == as_of).select("symbol", "strategy", "score")
    found: dict[str, dict[str, float | None]] = {}
    for symbol, strategy, score in rows.iter_rows():
        found.setdefault(symbol, {})[strategy] = score if score is not None and isfinite(score) else None
    return found


def missing_strategies(scores: Mapping[str, float | None], weights: Mapping[str, float]) -> list[str]:
    """Enabled strategies without an opinion on the symbol."""
    return sorted(name for name in weights if scores.get(name) is None)


def combine(
    symbol: str,
    scores: Mapping[str, float | None],
    weights: Mapping[str, float],
    locks: Collection[tuple[str, str]],
) -> Combined:
    """Sleeves of the enabled strategies: long only, so a score below 0 counts 0, and so does a locked one."""
    contributions: dict[str, Decimal] = {}
    for name, weight in sorted(weights.items()):
        score = scores.get(name)
        if score is None or score <= 0 or weight <= 0 or (name, symbol) in locks:
            continue
        contributions[name] = exact(weight) * exact(score)
    total = sum((exact(weight) for weight in weights.values()), Decimal(0))
    score = float(sum(contributions.values(), Decimal(0)) / total) if total > 0 else 0.0
    return Combined(score, contributions)


def _number(value: float | None) -> Decimal | None:
    """An exact positive number, or None for null, NaN, infinity, 0 and below: a price of 0 is never used."""
    if value is None or not isfinite(value) or value <= 0:
        return None
    return exact(value)
