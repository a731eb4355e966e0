"""Every rule for bars in one table: severity, repair and what it is for. Checks, judge and report are made from it."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from trade_pipeline.quality import frame_rules, order_rules, row_rules, series_rules
from trade_pipeline.quality.failures import no_failures
from trade_pipeline.quality.prepare import prepare, prepare_series
from trade_pipeline.quality.rules import Repair, Rule, Scope, Severity

ERROR, WARN = Severity.ERROR, Severity.WARN

_RULES = (
    Rule("schema", ERROR, Repair.NONE, "Columns and types are those of bars.", find=frame_rules.schema),
    Rule(
        "out_of_order", WARN, Repair.SORT, "Each symbol's bars come in the order of their times.",
        order_rules.out_of_order, order_rules.out_of_order_words,
    ),
    Rule(
        "duplicate", WARN, Repair.FULLEST, "No bar exists twice.",
        order_rules.duplicate, order_rules.duplicate_words, find=frame_rules.doubled,
    ),
    Rule(
        "misaligned", ERROR, Repair.DROP, "Every bar opens on the grid of its length and is that long.",
        row_rules.misaligned, row_rules.misaligned_words,
    ),
    Rule(
        "running_candle", WARN, Repair.WAIT, "Every bar had closed at the decision.",
        row_rules.running_candle, row_rules.running_candle_words,
    ),
    Rule(
        "non_positive_price", ERROR, Repair.DROP, "Every price is a number above 0.",
        row_rules.non_positive_price, row_rules.non_positive_price_words,
    ),
    Rule(
        "high_low_enclose", ERROR, Repair.DROP, "High and low enclose open and close.",
        row_rules.high_low_enclose, row_rules.high_low_enclose_words,
    ),
    Rule(
        "bad_volume", ERROR, Repair.DROP, "Volume is a number, 0 or more.",
        row_rules.bad_volume, row_rules.bad_volume_words,
    ),
    Rule(
        "gap", ERROR, Repair.FILL, "No bar is missing in the window that features are computed from.",
        order_rules.gap, order_rules.gap_words, order_rules.gap_is_idle,
    ),
    Rule(
        "outlier", ERROR, Repair.DROP, "No price is far outside the robust scale around it without confirmation.",
        series_rules.outlier, series_rules.outlier_words, series_rules.outlier_is_mild, series=True,
    ),
    Rule(
        "volume_anomaly", WARN, Repair.NONE, "Volumes are in proportion, and no price moves without one.",
        series_rules.volume_anomaly, series_rules.volume_anomaly_words, series=True,
    ),
    Rule(
        "frozen_feed", ERROR, Repair.HOLD, "Bars do not repeat each other.",
        series_rules.frozen_feed, series_rules.frozen_feed_words, series_rules.frozen_is_mild, series=True,
    ),
    Rule(
        "no_trade", WARN, Repair.FLAG, "Something was traded in every bar.",
        series_rules.no_trade, series_rules.no_trade_words, series=True, informative=True,
    ),
    Rule(
        "staleness", ERROR, Repair.HOLD, "Each symbol's newest bar is recent enough to decide on.",
        find=frame_rules.staleness,
    ),
    Rule(
        "cross_source_disagreement", ERROR, Repair.HOLD, "Sources agree on the close.",
        find=frame_rules.cross_source_disagreement,
    ),
    Rule(
        "revised_candle", WARN, Repair.NONE, "No bar was changed after it was known.",
        find=frame_rules.revised_candle,
    ),
)  # fmt: skip

RULES: Mapping[str, Rule] = {rule.name: rule for rule in _RULES}

ROW_RULES = tuple(rule for rule in _RULES if rule.flag is not None and not rule.series)
SERIES_RULES = tuple(rule for rule in _RULES if rule.flag is not None and rule.series)
FRAME_RULES = tuple(rule for rule in _RULES if rule.find is not None)
DROPPING = (Repair.DROP, Repair.FULLEST, Repair.WAIT)
"""Repairs that take the failing row out."""


def flags_of(rows: pl.DataFrame, rules: tuple[Rule, ...], scope: Scope) -> pl.DataFrame:
    """One Boolean column for each of these rules of rows, in one pass over prepared rows."""
    return rows.select(rule.flag(scope).alias(rule.name) for rule in rules if rule.flag is not None)


def sound_rows(rows: pl.DataFrame, flags: pl.DataFrame) -> pl.DataFrame:
    """Prepared rows that no rule of rows takes out."""
    broken = [rule.name for rule in ROW_RULES if rule.repair in DROPPING and flags.get_column(rule.name).any()]
    return rows.filter(~flags.select(pl.any_horizontal(broken)).to_series()) if broken else rows


def check(name: str, bars: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """FAILURES of one rule; empty where it holds, or where the columns are not those that it reads."""
    rule = RULES[name]
    found = no_failures() if rule.find is None else rule.find(bars, scope)
    if rule.flag is None or not frame_rules.columns(bars).is_empty():
        return found
    rows = prepare(bars.filter(~frame_rules.nameless(bars)), scope)
    if rule.series:
        rows = prepare_series(sound_rows(rows, flags_of(rows, ROW_RULES, scope)), scope)
    return pl.concat([found, rule.tell(rows.filter(rule.flag(scope)), scope)])
