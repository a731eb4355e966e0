"""A decision as one function of bars, account snapshot and settings: taken live, and taken again for a past bar.

Pure but for what is handed in. Both ways go through `targets_of`; that is what makes them comparable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from trade_pipeline.defs.partitions import BAR
from trade_pipeline.features.compute import compute_features
from trade_pipeline.market_data.content_hash import content_hash
from trade_pipeline.market_data.tables import table_of
from trade_pipeline.portfolio.targets import decide_targets
from trade_pipeline.schemas.trading import AccountSnapshot, MarketRules
from trade_pipeline.settings.root import Settings
from trade_pipeline.signals.combine import compute_signals
from trade_pipeline.signals.regimes import compute_regimes


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a decision depends on beside bars, settings and account; stored with it."""

    universe: Sequence[str]
    locks: Collection[tuple[str, str]]
    rules: Mapping[str, MarketRules]
    quarantined: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Features and signals of a window."""

    features: pl.DataFrame
    signals: pl.DataFrame

    def at(self, as_of: datetime) -> Evaluation:
        """The rows of the bar that closes at `as_of`: all that targets read."""
        last = pl.col("close_time") == as_of
        return Evaluation(self.features.filter(last), self.signals.filter(last))


def evaluate(bars: pl.DataFrame, settings: Settings) -> Evaluation:
    """The chain of assets from bars to signals, for bars that start at a window's start."""
    features = compute_features(bars, settings.features)
    regimes = compute_regimes(features, settings.strategies.regimes)
    return Evaluation(features, compute_signals(features, regimes, settings.strategies))


def decision_id_of(
    settings: Settings, as_of: datetime, code_version: str, signals: pl.DataFrame, quarantined: Mapping[str, str]
) -> str:
    """32 hex characters that follow from the account, the moment, settings, code, the signal rows used and who is held.

    A bar that is found to be bad changes no signal at once: without the last a rerun would be the decision before it.
    """
    rows = content_hash(signals, table_of("signals").key)
    held = ",".join(sorted(quarantined))
    parts = [settings.account, settings.mode, as_of.isoformat(), settings.decision_hash, code_version, rows, held]
    return hashlib.blake2b("|".join(parts).encode(), digest_size=16).hexdigest()


def facts_of(evaluation: Evaluation) -> dict[str, dict[str, float | None]]:
    """Symbol -> what the buy guards ask of its last bar: idle_ratio, above_average and from_high, as shares.

    `above_average` is close over the slow average less 1, `from_high` close over the channel's high less 1.
    """
    rows = evaluation.features.select(
        "symbol",
        "idle_ratio",
        above_average=pl.col("close") / pl.col("ema_slow") - 1,
        from_high=pl.col("close") / pl.col("donchian_high") - 1,
    )
    return {str(row.pop("symbol")): row for row in rows.sort("symbol").iter_rows(named=True)}


def targets_of(
    evaluation: Evaluation,
    snapshot: AccountSnapshot,
    settings: Settings,
    surroundings: Surroundings,
    *,
    decision_id: str,
    as_of: datetime,
) -> pl.DataFrame:
    """The TARGETS frame; it expires at the next bar's close."""
    last = evaluation.at(as_of)
    return decide_targets(
        last.signals,
        last.features,
        snapshot,
        surroundings.rules,
        settings,
        decision_id=decision_id,
        as_of=as_of,
        expires_at=as_of + BAR,
        universe=list(surroundings.universe),
        quarantined=surroundings.quarantined,
        locks=surroundings.locks,
    )
