"""Runs every enabled strategy over features and regimes; one that fails says HOLD, the others go on."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from trade_pipeline.expressions import finite
from trade_pipeline.schemas.frames import BAR_KEY, SIGNALS, empty
from trade_pipeline.settings.trading import StrategySettings
from trade_pipeline.signals.mean_reversion import MeanReversion
from trade_pipeline.signals.strategy import Strategy
from trade_pipeline.signals.trend import TrendFollowing
from trade_pipeline.symbol_blocks import in_blocks, in_order

KEYS = ("symbol", "open_time", "close_time", "regime")
BARS_SEEN = "_bars_seen"
ERROR_TEXT_CHARS_MAX = 200


def enabled_strategies(settings: StrategySettings) -> tuple[Strategy, ...]:
    """The strategies that are switched on, in the order of their names."""
    every: tuple[Strategy, ...] = (MeanReversion(settings.mean_reversion), TrendFollowing(settings.trend))
    return tuple(strategy for strategy in every if strategy.name in settings.enabled_weights)


def compute_signals(
    features: pl.DataFrame,
    regimes: pl.DataFrame,
    settings: StrategySettings,
    strategies: Sequence[Strategy] | None = None,
) -> pl.DataFrame:
    """A SIGNALS frame, one row per (symbol, open_time, strategy), sorted by these.

    `features` and `regimes` are frames of the same keys that start at the same anchor. A score that is null is HOLD:
    warm-up, a history shorter than `history_bars_min`, a flagged bar that the strategy refuses, a value that is no
    number, or a strategy that raised, whose rows name the error.
    """
    chosen = enabled_strategies(settings) if strategies is None else strategies
    if not chosen:
        return empty(SIGNALS)
    frame = _with_regimes(in_order(features, BAR_KEY), regimes)
    return in_blocks(frame, lambda block: _of_block(block.frame, chosen, settings))


def _with_regimes(features: pl.DataFrame, regimes: pl.DataFrame) -> pl.DataFrame:
    """Nearly always row stands beside row: a join would copy all of them."""
    if features.select(BAR_KEY).equals(regimes.select(BAR_KEY)):
        return features.with_columns(regimes.get_column("regime"))
    words = regimes.select(*BAR_KEY, "regime")
    return features.join(words, on=list(BAR_KEY), how="left", maintain_order="left")


def _of_block(rows: pl.DataFrame, strategies: Sequence[Strategy], settings: StrategySettings) -> pl.DataFrame:
    frame = rows.with_columns(pl.int_range(1, pl.len() + 1).over("symbol").alias(BARS_SEEN))
    return pl.concat([_scored(frame, strategy, settings) for strategy in strategies]).sort(*BAR_KEY, "strategy")


def _scored(frame: pl.DataFrame, strategy: Strategy, settings: StrategySettings) -> pl.DataFrame:
    """One strategy's SIGNALS rows. Any error of a strategy becomes HOLD for its rows: rule 1 of the targets."""
    refused = pl.lit(False)
    if strategy.name in settings.synthetic_refused_by:
        refused = pl.col("synthetic").fill_null(False)
    enough = (pl.col(BARS_SEEN) >= settings.history_bars_min) & ~refused
    without = (
        pl.when(refused)
        .then(pl.lit("nothing was traded in this bar"))
        .otherwise(pl.lit(f"fewer than {settings.history_bars_min} bars of history"))
    )
    try:
        opinion = strategy.opinion()
        score = finite(opinion.score.cast(pl.Float64)).clip(-1.0, 1.0)
        confidence = finite(opinion.confidence.cast(pl.Float64)).clip(0.0, 1.0)
        answer = frame.select(
            *KEYS,
            pl.when(enough).then(score).over("symbol").alias("score"),
            pl.when(enough).then(confidence).over("symbol").alias("confidence"),
            pl.when(enough).then(opinion.reason).otherwise(without).over("symbol").alias("reason"),
        )
    except Exception as error:
        text = f"{strategy.name} failed: {type(error).__name__}: {error}".splitlines()[0][:ERROR_TEXT_CHARS_MAX]
        answer = frame.select(*KEYS).with_columns(score=None, confidence=None, reason=pl.lit(text))
    named = answer.with_columns(pl.lit(strategy.name).alias("strategy"))
    return named.select(pl.col(name).cast(dtype) for name, dtype in SIGNALS.items())
