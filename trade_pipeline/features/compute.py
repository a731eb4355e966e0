"""Bars in, features out: evaluates the families' columns per symbol, layer by layer, some symbols at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import polars as pl

from trade_pipeline.expressions import Among, Layer, finite, per_symbol, whole_frame
from trade_pipeline.features import momentum, trend, volatility, volume
from trade_pipeline.schemas.frames import BAR_KEY, FEATURES
from trade_pipeline.settings.trading import FeatureSettings
from trade_pipeline.symbol_blocks import Block, in_blocks, in_order

FAMILIES = (volatility.layers, momentum.layers, trend.layers, volume.layers)
READ = ("symbol", "open_time", "close_time", "high", "low", "close", "volume")
"""Columns of the bars that features are made of; no other is sorted and carried along."""
CARRIED = ("high", "low", "close")
"""Of the bar before; null at a symbol's first one."""


def feature_layers(settings: FeatureSettings, among: Among) -> list[Layer]:
    """Columns to evaluate together, then those that read them; names with an underscore in front are not kept.

    One nested expression per feature would be shorter and a thousand times slower: polars does not share equal
    parts of expressions under `.over`, and ADX contains its own ingredients some hundred times. For the same reason
    what two columns have in common is a column of its own.
    """
    per_family = [layers(settings, among) for layers in FAMILIES]
    merged: list[Layer] = [{f"_{name}_before": among(pl.col(name).shift(1)) for name in CARRIED}]
    for layer in zip_longest(*per_family, fillvalue={}):
        merged.append({name: column for part in layer for name, column in part.items()})
    return merged


def compute_features(bars: pl.DataFrame, settings: FeatureSettings) -> pl.DataFrame:
    """A FEATURES frame with one row per bar, sorted by (symbol, open_time).

    `bars` is a JUDGED_BARS frame, or a clean BARS frame. Warm-up rows hold nulls, as does every value that is not
    finite. Two frames whose symbols start at the same bar agree bit for bit on every row they share.
    """
    # Bars that nobody judged, as of a backtest, hold nothing made up.
    synthetic = pl.col("synthetic") if "synthetic" in bars.columns else pl.lit(False).alias("synthetic")
    rows = in_order(bars.select(*READ, synthetic), BAR_KEY)
    layers = {among: feature_layers(settings, among) for among in (per_symbol, whole_frame)}
    return in_blocks(rows, lambda block: _evaluated(block, layers[whole_frame if block.single else per_symbol]))


def _evaluated(block: Block, layers: Sequence[Layer]) -> pl.DataFrame:
    frame = block.frame
    for layer in layers:
        frame = frame.with_columns(column.alias(name) for name, column in layer.items())
    return frame.select(
        finite(pl.col(name)).alias(name) if dtype == pl.Float64() else pl.col(name).cast(dtype)
        for name, dtype in FEATURES.items()
    )
