"""A hole in the past is fetched again by itself, and the day after it computed again: a real lake, a real exchange."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl

from trade_pipeline.definitions import defs
from trade_pipeline.defs.partitions import DAY, day_start
from trade_pipeline.defs.repair import WHY_TAG, repair_schedule
from trade_pipeline.defs.resources import Stack
from trade_pipeline.market_data.fetch import fetch_span
from trade_pipeline.schemas import frames
from trade_pipeline_tests.defs.conftest import TestStack

HISTORY = ["bars", "quarantined_bars", "quality_scores", "features", "regimes", "signals"]


def test_a_hole_is_fetched_again_and_the_day_that_stands_on_it_computed_again(stack: TestStack) -> None:
    today = datetime.now(UTC).date()
    broken, after = str(today - timedelta(days=2)), str(today - timedelta(days=1))
    symbol = stack.open.universe(datetime.now(UTC))[0]
    _store_but_for_an_hour(stack, broken, after, symbol)
    assert stack.backfill(HISTORY, broken, after).success

    (request,) = _asked_for(stack)
    assert request.partition_key == broken
    assert request.tags[WHY_TAG] == f"60 bars of {symbol} are missing"
    assert _asked_for(stack)[0].run_key == request.run_key, "a hole that stays is asked for once"
    _run(stack, request)
    day = stack.open.lake.read("bars", [broken]).filter(pl.col("symbol") == symbol)
    assert day.filter(pl.col("open_time") >= day_start(broken)).height == 1440
    coarse = stack.open.lake.read("coarse_bars", [broken]).filter(pl.col("length_s") == 3600)
    assert coarse.filter(pl.col("symbol") == symbol).height == 24, "coarser bars of the day are whole too"

    (next_request,) = _asked_for(stack)
    assert next_request.partition_key == after
    assert "became known" in next_request.tags[WHY_TAG]
    before = stack.open.lake.version("features")
    _run(stack, next_request)
    assert stack.open.lake.version("features") > before, "the first bars of that day follow from the filled hour"
    assert _asked_for(stack) == []


def _store_but_for_an_hour(stack: TestStack, first: str, last: str, symbol: str) -> None:
    """Two whole days with their warm-up, less the last hour of the first day of one symbol."""
    start, end = day_start(first) - timedelta(hours=5), day_start(last) + DAY
    whole = fetch_span(stack.open.market, stack.open.universe(datetime.now(UTC)), start, end).frame
    evening = pl.col("open_time").is_between(day_start(last) - timedelta(hours=1), day_start(last), closed="left")
    lost = evening & (pl.col("symbol") == symbol)
    stack.open.lake.append("raw_bars", whole.filter(~lost), frames.BAR_KEY, datetime.now(UTC))


def _asked_for(stack: TestStack) -> list[dg.RunRequest]:
    moment = datetime.now(UTC).replace(second=0, microsecond=0)
    context = dg.build_schedule_context(instance=stack.instance, scheduled_execution_time=moment)
    answer = repair_schedule(context, stack=Stack())
    if isinstance(answer, dg.SkipReason):
        return []
    assert isinstance(answer, list)
    return answer


def _run(stack: TestStack, request: dg.RunRequest) -> None:
    job = defs.resolve_job_def("repair")
    result = job.execute_in_process(
        instance=stack.instance, partition_key=request.partition_key, tags=dict(request.tags)
    )
    assert result.success
