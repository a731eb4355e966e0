"""How reliable the sources of bars were, and how good the newest bars are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from trade_pipeline.market_data.lake import Lake
from trade_pipeline.market_data.sources.breaker import BreakerPhase
from trade_pipeline.market_data.sources.cascade import CASCADE
from trade_pipeline.market_data.sources.figures import LATENCY_MS, Figures, SourceFigures
from trade_pipeline.market_data.sources.protocol import Tier
from trade_pipeline.observe.metrics.table import Classes, Reading

RECENT = timedelta(hours=1)
_KEPT = (str(Tier.FRESH_CACHE), str(Tier.STALE_CACHE))
_ENDS_S = (*(end / 1000 for end in LATENCY_MS), float("inf"))


def sources(figures: Figures, secondaries: Sequence[str], at: datetime) -> Iterator[Reading | Classes]:
    """Of every source, and of the whole cascade: by whom its questions were answered."""
    totals = {row.source: row for row in figures.totals()}
    lately = {row.source: row for row in figures.snapshot((at - RECENT).timestamp())}
    whole, whole_lately = totals.pop(CASCADE, None), lately.pop(CASCADE, None)
    kept = {name: totals.pop(name).answered if name in totals else 0 for name in _KEPT}
    for name, row in totals.items():
        yield from _source(row, lately.get(name))
    second = sum(row.answered for name, row in totals.items() if name in secondaries)
    first = sum(row.answered for row in totals.values()) - second
    tiers = {"primary": first, "secondary": second} | {name.replace(" ", "_"): kept[name] for name in _KEPT}
    yield from (Reading("bar_answers_total", count, (tier,)) for tier, count in tiers.items())
    if whole is not None:
        for error, count in sorted(whole.failures.items()):
            yield Reading("bar_answers_missing_total", count, (error,))
    if whole_lately is not None:
        yield Reading("bar_answered_ratio", whole_lately.answered_ratio)


def _source(row: SourceFigures, lately: SourceFigures | None) -> Iterator[Reading | Classes]:
    label = (row.source,)
    yield Reading("source_requests_total", row.requests, label)
    for error, count in sorted(row.failures.items()):
        yield Reading("source_failures_total", count, (row.source, error))
    if lately is not None:
        yield Reading("source_answered_ratio", lately.answered_ratio, label)
    counts = tuple(zip(_ENDS_S, accumulate(row.latency_classes), strict=True))
    yield Classes("source_latency_seconds", counts, row.latency_ms_sum / 1000, label)
    for phase in BreakerPhase:
        yield Reading("source_breaker_state", float(row.phase == str(phase)), (row.source, str(phase)))


def quality(lake: Lake, at: datetime) -> Iterator[Reading]:
    """Scores of the newest day that was judged: today's nearly always, so that other days are looked for last."""
    today = [str(at.date()), str(at.date() - timedelta(days=1))]
    rows = next((rows for day in today if not (rows := lake.read("quality_scores", [day])).is_empty()), None)
    if rows is None:
        rows = lake.read("quality_scores", lake.days("quality_scores")[-1:])
    if rows.is_empty():
        return
    newest = rows.get_column("as_of").max()
    assert isinstance(newest, datetime), "a score says until when it looked"
    yield Reading("quality_age_seconds", (at - newest).total_seconds())
    # A symbol that left the universe is judged no more, so that it is not held for good.
    now = rows.filter(rows.get_column("as_of") == newest)
    for symbol, score, held in now.select("symbol", "score", "held").iter_rows():
        if score is not None:
            yield Reading("quality_score", score, (symbol,))
        yield Reading("quality_held", float(held is not None), (symbol,))
