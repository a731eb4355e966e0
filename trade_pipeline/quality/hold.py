"""Which symbols must stand still now. One bad symbol stops itself; only a feed that is bad in breadth stops everybody.

A symbol is held while an unrepaired ERROR lies within `quarantine_bars`, while its score over the window is below
`score_min`, or, where that is set, while its newest bar is flagged. It is free again with the first decision for
which none of this holds: nothing is remembered, so nothing has to be lifted by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from trade_pipeline.quality.failures import failing_symbols, failures, no_failures
from trade_pipeline.quality.rules import Scope, Severity
from trade_pipeline.quality.score import score_of_window
from trade_pipeline.schemas.frames import QUALITY_SCORES, moment
from trade_pipeline.settings.quality import QualitySettings


def held_symbols(bars: pl.DataFrame, recent: pl.DataFrame, scores: pl.DataFrame, scope: Scope) -> dict[str, str]:
    """Symbol -> why. `recent` are the FAILURES that still count; one without a symbol holds all."""
    errors = recent.filter(pl.col("severity") == str(Severity.ERROR))
    held = failing_symbols(errors)
    everybody = errors.filter(pl.col("symbol").is_null())
    if not everybody.is_empty():
        held = dict.fromkeys(scope.symbols, str(everybody.item(0, "message"))) | held
    low = score_of_window(scores, scope).filter(pl.col("score") < scope.settings.score_min)
    for symbol, score in low.sort("symbol").iter_rows():
        held.setdefault(symbol, f"{symbol} has quality {score:.2f}, below {scope.settings.score_min:g}")
    if scope.settings.synthetic_bars_refused:
        newest = bars.group_by("symbol", maintain_order=True).agg(pl.col("synthetic").last())
        for symbol in newest.filter(pl.col("synthetic")).get_column("symbol").sort():
            held.setdefault(symbol, f"{symbol}: nothing was traded in the newest bar")
    return dict(sorted(held.items()))


def held_at(scores: pl.DataFrame, universe: Sequence[str], as_of: datetime) -> dict[str, str]:
    """Symbol -> why it is held at `as_of`, by a QUALITY_SCORES frame. One that nobody judged for this bar is held."""
    judged = scores.filter(pl.col("as_of") == as_of)
    held = judged.filter(pl.col("held").is_not_null()).sort("symbol").select("symbol", "held")
    unknown = sorted(set(universe) - set(judged.get_column("symbol")))
    return dict.fromkeys(unknown, "its bars were not judged") | dict(held.iter_rows())


def held_in_breadth(held: Mapping[str, str], universe: Sequence[str], settings: QualitySettings) -> pl.DataFrame:
    """FAILURES with a row for each held symbol of the universe, if they are a share of `breadth_max` or more of it."""
    symbols = [symbol for symbol in universe if symbol in held]
    share = len(symbols) / len(universe) if universe else 0.0
    if share < settings.breadth_max:
        return no_failures()
    rows = pl.DataFrame(
        {"symbol": symbols, "_why": [held[symbol] for symbol in symbols]},
        schema={"symbol": pl.String, "_why": pl.String},
    )
    return failures(
        rows,
        "breadth",
        column=pl.lit("symbol"),
        value=pl.lit(f"{len(symbols)} of {len(universe)} symbols"),
        limit=pl.lit(f"< {settings.breadth_max:g} of the universe"),
        message=pl.col("_why"),
    )


def with_held(scores: pl.DataFrame, held: Mapping[str, str], scope: Scope) -> pl.DataFrame:
    """`scores` with the reason in the row of the day of `as_of`; a symbol without any bar gets a row of nothing."""
    if not held:
        return scores.sort("symbol", "open_time")
    today = (moment(scope.as_of) - pl.duration(milliseconds=1)).dt.truncate("1d")
    reasons = pl.DataFrame(
        {"symbol": list(held), "held": list(held.values())}, schema={"symbol": pl.String, "held": pl.String}
    ).with_columns(today.alias("open_time"))
    absent = reasons.join(scores, on=["symbol", "open_time"], how="anti")
    rows = absent.with_columns(
        moment(scope.as_of).alias("as_of"),
        *(pl.lit(0, pl.Int64).alias(name) for name, dtype in QUALITY_SCORES.items() if dtype == pl.Int64()),
        pl.lit(0.0).alias("score"),
    ).select(pl.col(name).cast(dtype) for name, dtype in QUALITY_SCORES.items())
    known = scores.drop("held").join(reasons, on=["symbol", "open_time"], how="left", maintain_order="left")
    return pl.concat([known.select(list(QUALITY_SCORES)), rows]).sort("symbol", "open_time")
