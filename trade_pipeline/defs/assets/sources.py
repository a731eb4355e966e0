"""How reliable the sources of bars were: a report from what every process of the stack has counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg

from trade_pipeline.defs.asset_kinds import OWNERS
from trade_pipeline.defs.plots import line_plot
from trade_pipeline.defs.resources import Stack
from trade_pipeline.market_data.sources.cascade import CASCADE
from trade_pipeline.market_data.sources.figures import Figures, SourceFigures

SHOWN_SINCE = timedelta(hours=24)


@dg.asset(
    name="source_reliability",
    group_name="reports",
    description="Requests, answers, failures and latency of every source of bars, over the last day.",
    kinds={"sqlite", "matplotlib"},
    owners=OWNERS,
    deps=["raw_bars"],
)
def source_reliability(stack: Stack) -> dg.MaterializeResult[None]:
    figures = stack.open.figures
    since_s = (stack.open.now() - SHOWN_SINCE).timestamp()
    rows = figures.snapshot(since_s)
    metadata: dict[str, object] = {
        "dagster/row_count": len(rows),
        "sources": dg.MetadataValue.table(records=[_record(row) for row in rows], schema=_SCHEMA),
    }
    whole = next((row for row in rows if row.source == CASCADE), None)
    if whole is not None:
        metadata |= {"answered_ratio": whole.answered_ratio, "requests": whole.requests}
        metadata["reliability"] = _plot(figures, since_s)
    return dg.MaterializeResult(metadata=metadata)  # type: ignore[arg-type]  # only kinds that Dagster knows


_NUMBERS = ("requests", "answered", "answered_ratio", "latency_ms_mean", "latency_ms_p95_below")
_SCHEMA = dg.TableSchema(
    columns=[
        dg.TableColumn("source", "string"),
        *(dg.TableColumn(name, "float") for name in _NUMBERS),
        dg.TableColumn("breaker", "string"),
        dg.TableColumn("failures", "string"),
    ]
)


def _record(row: SourceFigures) -> dg.TableRecord:
    failures = ", ".join(f"{name} {count}" for name, count in sorted(row.failures.items()))
    return dg.TableRecord(
        {
            "source": row.source,
            "requests": row.requests,
            "answered": row.answered,
            "answered_ratio": round(row.answered_ratio, 6),
            "latency_ms_mean": round(row.latency_ms_mean, 1),
            "latency_ms_p95_below": row.latency_ms_below(0.95),
            "breaker": row.phase,
            "failures": failures,
        }
    )


def _plot(figures: Figures, since_s: float) -> dg.MetadataValue:
    """Share of answered requests of every source by minute; a minute without requests stays as it was."""
    rows = figures.by_minute(since_s)
    minutes = sorted({row[0] for row in rows})
    names = sorted({row[1] for row in rows})
    shares = {(minute, name): answered / requests for minute, name, requests, answered in rows}
    lines: dict[str, list[float]] = {name: [] for name in names}
    for name, values in lines.items():
        for minute in minutes:
            values.append(shares.get((minute, name), values[-1] if values else 1.0))
    times = [datetime.fromtimestamp(minute * 60, UTC) for minute in minutes]
    return line_plot("Answered requests", "share", times, dict(lines))
