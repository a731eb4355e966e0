"""Defects that no single row shows: columns, feeds that stopped, sources that disagree, bars that were changed."""

from __future__ import annotations

import re
from datetime import timedelta

import polars as pl

from trade_pipeline.quality.failures import failures, no_failures
from trade_pipeline.quality.prepare import FACTS, MEASURED
from trade_pipeline.quality.rules import Scope, Severity
from trade_pipeline.schemas.frames import BAR_KEY, BARS, SYMBOL_PATTERN, moment
from trade_pipeline.symbol_blocks import starts_of

SYMBOL = re.compile(SYMBOL_PATTERN)


def columns(bars: pl.DataFrame) -> pl.DataFrame:
    """FAILURES without a symbol: columns and types that are not those of bars. With any of them nothing can be read."""
    given = bars.schema
    found = [
        (name, str(given.get(name, "absent")), str(dtype)) for name, dtype in BARS.items() if given.get(name) != dtype
    ]
    found += [(name, "present", "absent") for name in given if name not in BARS]
    if not found:
        return no_failures()
    types = dict.fromkeys(("_column", "_value", "_limit"), pl.String())
    return failures(
        pl.DataFrame(found, schema=types, orient="row"),
        "schema",
        column=pl.col("_column"),
        value=pl.col("_value"),
        limit=pl.col("_limit"),
        message=pl.format("the frame: column {} is {}, not {}", "_column", "_value", "_limit"),
    )


def nameless(bars: pl.DataFrame) -> pl.Series:
    """Whether no other rule can be asked of a row: it has no time, or a symbol that is none."""
    symbol = bars.get_column("symbol")
    # Bars of a symbol mostly stand together, and its name is looked at once.
    names = symbol.filter(starts_of(symbol)).unique()
    odd = [name for name in names if name is not None and not SYMBOL.fullmatch(name)]
    broken = symbol.is_in(odd).fill_null(False) if odd else pl.repeat(False, bars.height, eager=True)
    for name in ("symbol", "open_time", "close_time"):
        if bars.get_column(name).null_count():
            broken = broken | bars.get_column(name).is_null()
    return broken


def schema(bars: pl.DataFrame, scope: Scope | None = None) -> pl.DataFrame:
    """Columns and types, and where they are right, rows without a symbol or a time."""
    del scope
    wrong = columns(bars)
    if not wrong.is_empty() or bars.is_empty():
        return wrong
    rows = bars.filter(nameless(bars)).with_columns(pl.col("symbol").fill_null("(none)"))
    return failures(
        rows,
        "schema",
        column=pl.lit("open_time"),
        value=pl.format("{} {}", "symbol", pl.col("open_time").cast(pl.String).fill_null("null")),
        limit=pl.lit("a symbol and a time"),
        message=pl.format("{} has a row without a time, or is no symbol", "symbol"),
    )


def doubled(bars: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """Rows of `scope.doubled`. Of equal ones, which are one bar, the copies too many: WARN.

    Of a time whose rows contradict each other every row, for none was believed: ERROR while the bar that was waited for
    is not there, because the symbol was not read beyond them; WARN once it is.
    """
    if scope.doubled is None or scope.doubled.is_empty():
        return no_failures()
    taken = bars.select("symbol", pl.col("close_time").alias("as_of"), pl.lit(True).alias("_taken")).unique()
    rows = (
        scope.doubled.with_columns(
            pl.len().over(BAR_KEY).alias("_copies"),
            (pl.struct(FACTS).n_unique().over(BAR_KEY) == 1).alias("_equal"),
        )
        .filter(~pl.col("_equal") | (pl.col("copy") > 0))
        .join(taken, on=["symbol", "as_of"], how="left", maintain_order="left")
    )
    mild = pl.col("_equal") | pl.col("_taken").fill_null(False)
    differing = ("symbol", "_copies", "open_time")
    return failures(
        rows,
        "duplicate",
        column=pl.lit("open_time"),
        value=pl.format("open {}, high {}, low {}, close {}, volume {}", *FACTS[3:8]),
        limit=pl.lit("one row for each time"),
        message=pl.when("_equal")
        .then(pl.format("{} has the bar of {} {} times, all equal: merged", "symbol", "open_time", "_copies"))
        .when(mild)
        .then(pl.format("{} had {} different rows for the bar of {}: none was believed", *differing))
        .otherwise(pl.format("{} has {} different rows for the bar of {}: none is believed", *differing)),
        severity=pl.when(mild).then(pl.lit(str(Severity.WARN))).otherwise(pl.lit(str(Severity.ERROR))),
    )


def staleness(bars: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """Expected symbols whose newest bar closed longer than the limit before `as_of`, or that have no bar at all."""
    if not scope.symbols:
        return no_failures()
    as_of = moment(scope.as_of)
    newest = (
        bars.select("symbol", "open_time", "close_time")
        .filter(pl.col("close_time") <= as_of)
        .group_by("symbol")
        .agg(pl.col("open_time").max(), pl.col("close_time").max())
    )
    age = (as_of - pl.col("close_time")).dt.total_milliseconds() / 1000
    limit_s = scope.settings.staleness_s_max
    rows = (
        pl.DataFrame({"symbol": sorted(set(scope.symbols))}, schema={"symbol": pl.String})
        .join(newest, on="symbol", how="left")
        .with_columns(age.alias("_age_s"))
        .filter(pl.col("_age_s").is_null() | (pl.col("_age_s") > limit_s))
    )
    return failures(
        rows,
        "staleness",
        column=pl.lit("close_time"),
        value=pl.col("_age_s").cast(pl.String).fill_null("no bar"),
        limit=pl.lit(f"<= {timedelta(seconds=limit_s).total_seconds():g} s"),
        message=pl.when(pl.col("_age_s").is_null())
        .then(pl.format("{} has no bar at all", "symbol"))
        .otherwise(pl.format("{}: the newest bar closed {} s before the decision", "symbol", "_age_s")),
    )


def cross_source_disagreement(bars: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """Bars whose close differs from that of `scope.reference` by more than the limit; volumes differ by nature."""
    if scope.reference is None:
        return no_failures()
    other = scope.reference.select(*BAR_KEY, pl.col("close").alias("_other"), pl.col("source").alias("_other_source"))
    distance = (pl.col("close") / pl.col("_other")).log().abs()
    limit = scope.settings.disagreement_ratio_max
    rows = bars.join(other, on=list(BAR_KEY), how="inner").filter(
        (distance > limit) & (pl.col("source") != pl.col("_other_source"))
    )
    return failures(
        rows,
        "cross_source_disagreement",
        column=pl.lit("close"),
        value=pl.col("close"),
        limit=pl.format(f"within {limit:g} of {{}}", "_other"),
        message=pl.format(
            "{}: the bar of {} closes at {} in {} and at {} in {}",
            "symbol", "open_time", "close", "source", "_other", "_other_source",
        ),
    )  # fmt: skip


def revised_candle(bars: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """Bars whose prices or volume are not those of `scope.earlier`, the same bars as they were known before."""
    if scope.earlier is None:
        return no_failures()
    before = scope.earlier.select(*BAR_KEY, *(pl.col(name).alias(f"_was_{name}") for name in MEASURED))
    changed = [(name, pl.col(name).ne_missing(pl.col(f"_was_{name}"))) for name in MEASURED]
    rows = bars.join(before, on=list(BAR_KEY), how="inner").filter(pl.any_horizontal(is_new for _, is_new in changed))
    first = pl.coalesce(pl.when(is_new).then(pl.lit(name)) for name, is_new in changed)
    value = pl.coalesce(pl.when(is_new).then(pl.col(name)) for name, is_new in changed)
    was = pl.coalesce(pl.when(is_new).then(pl.col(f"_was_{name}")) for name, is_new in changed)
    return failures(
        rows,
        "revised_candle",
        column=first,
        value=value,
        limit=was,
        message=pl.format("{}: the bar of {} was changed: {} is {}, was {}", "symbol", "open_time", first, value, was),
        severity=pl.lit(str(Severity.WARN)),
    )
