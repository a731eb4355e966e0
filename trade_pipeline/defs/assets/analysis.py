"""Features, regimes and signals: every day's evaluation starts at the same bar before it."""

from __future__ import annotations

from trade_pipeline.defs.asset_kinds import lake_asset
from trade_pipeline.defs.day_frames import DayFrames
from trade_pipeline.defs.resources import Stack
from trade_pipeline.features.compute import compute_features
from trade_pipeline.signals.combine import compute_signals
from trade_pipeline.signals.regimes import compute_regimes


@lake_asset("features", "analysis", "Trend, momentum, volatility and volume of every bar.")
def features(stack: Stack, bars: DayFrames) -> DayFrames:
    settings = stack.open.settings.features
    return bars.map(lambda frame: compute_features(frame, settings))


@lake_asset("regimes", "analysis", "One word a bar: trending, ranging, volatile, breaking out, illiquid.")
def regimes(stack: Stack, features: DayFrames) -> DayFrames:
    settings = stack.open.settings.strategies.regimes
    return features.map(lambda frame: compute_regimes(frame, settings))


@lake_asset("signals", "analysis", "What each strategy would hold: score, confidence and the reason.")
def signals(stack: Stack, features: DayFrames, regimes: DayFrames) -> DayFrames:
    settings = stack.open.settings.strategies
    return features.map_with(regimes, lambda frame, words: compute_signals(frame, words, settings))
