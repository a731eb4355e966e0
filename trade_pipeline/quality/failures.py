"""The frame that every rule answers with: one row per defect, empty where the rule holds."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from trade_pipeline.schemas.frames import UTC_MS, empty

FAILURES: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "open_time": UTC_MS,  # of the failing bar, of the first missing one for a gap; null where no bar is meant
    "rule": pl.String(),
    "severity": pl.String(),  # ERROR or WARN
    "column": pl.String(),
    "value": pl.String(),  # what was found, as text
    "limit": pl.String(),  # what it had to be
    "message": pl.String(),  # one sentence for people
}
_ERROR = pl.lit("ERROR")


def no_failures() -> pl.DataFrame:
    return empty(FAILURES)


def failures(
    rows: pl.DataFrame,
    rule: str,
    *,
    column: pl.Expr,
    value: pl.Expr,
    limit: pl.Expr,
    message: pl.Expr,
    severity: pl.Expr = _ERROR,
    open_time: str = "open_time",
) -> pl.DataFrame:
    """A FAILURES frame with one row per row of `rows`, sorted; a missing symbol or open_time becomes null."""
    if rows.is_empty():
        return no_failures()
    rows = rows.rechunk()  # polars' format panics on an empty chunk, which filtering leaves behind
    for name in ("symbol", open_time):
        if name not in rows.columns:
            rows = rows.with_columns(pl.lit(None).alias(name))
    return rows.select(
        pl.col("symbol").cast(pl.String),
        pl.col(open_time).cast(UTC_MS).alias("open_time"),
        pl.lit(rule).alias("rule"),
        severity.cast(pl.String).alias("severity"),
        column.cast(pl.String).alias("column"),
        value.cast(pl.String).alias("value"),
        limit.cast(pl.String).alias("limit"),
        message.cast(pl.String).alias("message"),
    ).sort("symbol", "open_time", "column", nulls_last=True, maintain_order=True)


def failing_symbols(found: pl.DataFrame) -> dict[str, str]:
    """Symbol -> first message: what may be quarantined instead of stopping everybody. Rows without symbol are left."""
    named = found.filter(pl.col("symbol").is_not_null())
    first = named.group_by("symbol", maintain_order=True).agg(pl.col("message").first()).sort("symbol")
    pairs: Mapping[str, str] = dict(first.iter_rows())
    return dict(pairs)
