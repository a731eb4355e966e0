"""How good the bars were, for people: scores by day as a plot, who is held and why, what was quarantined."""

# No postponed annotations here: Dagster reads the type of the resource itself.

from collections.abc import Sequence
from datetime import datetime

import dagster as dg
import polars as pl

from trade_pipeline.defs.asset_kinds import OWNERS
from trade_pipeline.defs.plots import bar_plot, line_plot
from trade_pipeline.defs.resources import Stack

DAYS_SHOWN_MAX = 30
ROWS_SHOWN_MAX = 100
LINES_MAX = 8
"""Symbols drawn: the worst ones."""


@dg.asset(
    name="data_quality",
    group_name="reports",
    description="Quality score of every symbol and day, symbols that are held, bars in quarantine with the reason.",
    kinds={"deltalake", "matplotlib"},
    owners=OWNERS,
    deps=["quality_scores", "quarantined_bars"],
)
def data_quality(stack: Stack) -> dg.MaterializeResult[None]:
    lake = stack.open.lake
    days = lake.days("quality_scores")[-DAYS_SHOWN_MAX:]
    scores = lake.read("quality_scores", days)
    rejected = lake.read("quarantined_bars", lake.days("quarantined_bars")[-DAYS_SHOWN_MAX:])
    metadata: dict[str, object] = {
        "dagster/row_count": scores.height,
        "quarantined_bars": rejected.height,
        "in_quarantine": table_of(rejected.sort("open_time", descending=True).drop("close_time", "copy")),
    }
    if not scores.is_empty():
        metadata |= _figures(scores)
    return dg.MaterializeResult(metadata=metadata)  # type: ignore[arg-type]  # only kinds that Dagster knows


def _figures(scores: pl.DataFrame) -> dict[str, object]:
    now = scores.filter(pl.col("as_of") == pl.col("as_of").max())
    newest = now.filter(pl.col("open_time") == pl.col("open_time").max().over("symbol"))
    held = newest.filter(pl.col("held").is_not_null())
    worst = newest.sort("score", "symbol").head(LINES_MAX)
    return {
        "score_min": float(newest.select(pl.col("score").min()).item()),
        "score_mean": float(newest.select(pl.col("score").mean()).item()),
        "held": held.height,
        "held_symbols": table_of(held.select("symbol", "score", "held")),
        "worst": table_of(worst.drop("open_time", "as_of")),
        "scores_by_day": _by_day(scores, worst.get_column("symbol").to_list()),
        "scores_now": bar_plot(
            "Quality score, worst first",
            "0 to 1",
            worst.get_column("symbol").to_list(),
            worst.get_column("score").to_list(),
        ),
    }


def _by_day(scores: pl.DataFrame, symbols: Sequence[str]) -> dg.MetadataValue:
    """The worst symbols' scores over the days, and the mean of all."""
    times: list[datetime] = scores.get_column("open_time").unique().sort().to_list()
    table = (
        scores.filter(pl.col("symbol").is_in(symbols))
        .pivot("symbol", index="open_time", values="score")
        .sort("open_time")
    )
    mean = scores.group_by("open_time").agg(pl.col("score").mean().alias("all")).sort("open_time")
    lines = pl.DataFrame({"open_time": times}, schema={"open_time": scores.schema["open_time"]})
    lines = lines.join(mean, on="open_time", how="left").join(table, on="open_time", how="left").fill_null(float("nan"))
    return line_plot(
        "Quality score by day", "0 to 1", times, {name: lines[name].to_list() for name in lines.columns[1:]}
    )


def table_of(rows: pl.DataFrame) -> dg.TableMetadataValue:
    """Rows as Dagster shows tables, every value as text."""
    records = [
        dg.TableRecord({name: "" if value is None else str(value) for name, value in row.items()})
        for row in rows.head(ROWS_SHOWN_MAX).iter_rows(named=True)
    ]
    return dg.MetadataValue.table(
        records=records, schema=dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in rows.columns])
    )
