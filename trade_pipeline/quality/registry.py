"""Every rule for bars by name, with its severity and what it is for; the checks of the shell are made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import polars as pl

from trade_pipeline.quality.failures import failures
from trade_pipeline.quality.row_rules import high_low_enclose, positive_price
from trade_pipeline.quality.time_rules import gap, monotonic_unique_time, running_candle, staleness
from trade_pipeline.schemas.bars import Bars
from trade_pipeline.schemas.frames import UTC_MS
from trade_pipeline.schemas.validation import validate
from trade_pipeline.settings.market import QualitySettings

SCHEMA_ROWS_MAX = 1000


class Severity(StrEnum):
    """ERROR stops what would increase exposure; WARN is seen."""

    ERROR = "ERROR"
    WARN = "WARN"


@dataclass(frozen=True, slots=True)
class Scope:
    """What bars are held against: the moment, the window that has to be complete, the symbols that have to be there."""

    as_of: datetime
    window_start: datetime
    symbols: tuple[str, ...]
    settings: QualitySettings
    bar_length_s: int = 60


@dataclass(frozen=True, slots=True)
class Rule:
    """`check(bars, scope)` answers with a FAILURES frame, empty where the rule holds."""

    name: str
    check: Callable[[pl.DataFrame, Scope], pl.DataFrame]
    severity: Severity
    description: str


def schema(bars: pl.DataFrame, *, as_of: datetime) -> pl.DataFrame:
    """Columns, types and column limits of `schemas.bars`; at most SCHEMA_ROWS_MAX rows per failing check."""
    del as_of  # a schema has no time
    rows = [
        (row.get("symbol"), row.get("open_time"), str(row["column"]), str(row["value"]), item.check)
        for item in validate(Bars, bars, SCHEMA_ROWS_MAX).items
        for row in item.rows
    ]
    types: dict[str, pl.DataType] = {"symbol": pl.String(), "open_time": UTC_MS}
    types |= dict.fromkeys(("_c", "_v", "_k"), pl.String())
    return failures(
        pl.DataFrame(rows, schema=types, orient="row"),
        "schema",
        column=pl.col("_c"),
        value=pl.col("_v"),
        limit=pl.col("_k"),
        message=pl.format(
            "{}: column {} has {}, against {}", pl.col("symbol").fill_null("the frame"), "_c", "_v", "_k"
        ),
    )


def _gap(bars: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    return gap(
        bars,
        as_of=scope.as_of,
        window_start=scope.window_start,
        bar_length_s=scope.bar_length_s,
        gap_bars_max=scope.settings.gap_bars_max,
    )


def _staleness(bars: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    limit_s = scope.settings.staleness_s_max
    return staleness(bars, as_of=scope.as_of, symbols=scope.symbols, staleness_s_max=limit_s)


_RULES = (
    Rule("schema", lambda b, s: schema(b, as_of=s.as_of), Severity.ERROR, "Columns and types are those of bars."),
    Rule(
        "monotonic_unique_time",
        lambda b, s: monotonic_unique_time(b, as_of=s.as_of),
        Severity.ERROR,
        "Each symbol's bars are in order, and none exists twice.",
    ),
    Rule(
        "high_low_enclose",
        lambda b, s: high_low_enclose(b, as_of=s.as_of),
        Severity.ERROR,
        "High and low enclose open and close.",
    ),
    Rule("positive_price", lambda b, s: positive_price(b, as_of=s.as_of), Severity.ERROR, "Every price is above 0."),
    Rule("gap", _gap, Severity.ERROR, "No minute is missing in the window that features are computed from."),
    Rule(
        "running_candle",
        lambda b, s: running_candle(b, as_of=s.as_of),
        Severity.ERROR,
        "Every bar had closed at the decision.",
    ),
    Rule("staleness", _staleness, Severity.ERROR, "Each symbol's newest bar is recent enough to decide on."),
)

RULES: Mapping[str, Rule] = {rule.name: rule for rule in _RULES}
