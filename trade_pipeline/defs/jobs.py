"""Jobs: which assets and ops run together, on which queue, for how long at most."""

from __future__ import annotations

import dagster as dg

from trade_pipeline.defs.run_time import DECIDE_JOB, EXECUTE_JOB

QUEUE_TAG = "dagster-celery/queue"
DECIDE_CHAIN = (
    "raw_bars",
    "bars",
    "quarantined_bars",
    "quality_scores",
    "features",
    "regimes",
    "signals",
    "target_positions",
    "approved_targets",
)
HISTORY_CHAIN = DECIDE_CHAIN[:-2]
"""What a past day is computed to. Decisions are not taken again: they stood on what was seen."""
RECOMPUTATION_CHECK = dg.AssetCheckKey(dg.AssetKey("target_positions"), "recomputed_equals_live")


def live_tags(queue: str, max_runtime_s: int) -> dict[str, str]:
    """A live run has a queue of its own, ends by itself, and is never started again by Dagster."""
    return {QUEUE_TAG: queue, "dagster/max_runtime": str(max_runtime_s), "dagster/max_retries": "0"}


decide = dg.define_asset_job(
    DECIDE_JOB,
    selection=dg.AssetSelection.assets(*DECIDE_CHAIN) - dg.AssetSelection.checks(RECOMPUTATION_CHECK),
    tags=live_tags("decide", 50),
    executor_def=dg.in_process_executor,
    description="From the bar that just closed to approved targets.",
)

reports = dg.define_asset_job(
    "reports",
    selection=dg.AssetSelection.assets(
        "equity_curve", "closed_trades", "position_conflicts", "source_reliability", "data_quality"
    ),
    tags={"dagster/max_runtime": "120"},
    executor_def=dg.in_process_executor,
    description="Equity curve, closed trades, conflicts with the exchange, how good sources and bars were.",
)

scan_universe = dg.define_asset_job(
    "scan_universe",
    selection=dg.AssetSelection.assets("universe"),
    tags={QUEUE_TAG: "history", "dagster/max_runtime": "300"},
    executor_def=dg.in_process_executor,
    description="Scans the exchange for symbols worth trading.",
)

repair = dg.define_asset_job(
    "repair",
    selection=dg.AssetSelection.assets(*HISTORY_CHAIN, "coarse_bars") - dg.AssetSelection.checks(RECOMPUTATION_CHECK),
    tags={QUEUE_TAG: "history", "dagster/max_runtime": "1800"},
    executor_def=dg.in_process_executor,
    description="Fetches a past day's missing bars and computes the day again, coarser bars too.",
)

nightly = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.assets("bars_asked_again", "coarse_bars", "lake_upkeep", "dagster_upkeep"),
    tags={QUEUE_TAG: "history", "dagster/max_runtime": "3600"},
    executor_def=dg.in_process_executor,
    description="Late changes and coarser bars of the day that is over, the upkeep of lake and Dagster's storage.",
)

__all__ = [
    "DECIDE_CHAIN",
    "EXECUTE_JOB",
    "HISTORY_CHAIN",
    "QUEUE_TAG",
    "RECOMPUTATION_CHECK",
    "decide",
    "live_tags",
    "nightly",
    "repair",
    "reports",
    "scan_universe",
]
