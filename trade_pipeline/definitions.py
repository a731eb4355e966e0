"""Dagster's entry point of the code location "trading": puts together what stands in `defs`, nothing else."""

from __future__ import annotations

import dagster as dg

from trade_pipeline.defs.assets.analysis import features, regimes, signals
from trade_pipeline.defs.assets.history import bars_asked_again, coarse_bars, dagster_upkeep, lake_upkeep
from trade_pipeline.defs.assets.market import judge_bars, raw_bars
from trade_pipeline.defs.assets.positions import ledger_equals_exchange, position_conflicts
from trade_pipeline.defs.assets.quality import data_quality
from trade_pipeline.defs.assets.reports import closed_trades, equity_curve
from trade_pipeline.defs.assets.sources import source_reliability
from trade_pipeline.defs.assets.targets import approved_targets, target_positions
from trade_pipeline.defs.assets.universe import universe
from trade_pipeline.defs.checks import ALL_CHECKS
from trade_pipeline.defs.execute import execute
from trade_pipeline.defs.exits import exit_watch, exits, stand_in_for_guard
from trade_pipeline.defs.io_manager import IO_MANAGER_KEY, LakeIOManager
from trade_pipeline.defs.jobs import decide, reports
from trade_pipeline.defs.repair import repair_schedule
from trade_pipeline.defs.resources import Stack
from trade_pipeline.defs.schedules import SCHEDULES
from trade_pipeline.defs.sensors import on_approved_targets, on_approved_targets_twin
from trade_pipeline.settings.protect import protect_from_environment

protect_from_environment()  # the code server runs this before it opens anything of Dagster's
stack = Stack()

defs = dg.Definitions(
    assets=[
        raw_bars,
        judge_bars,
        features,
        regimes,
        signals,
        target_positions,
        approved_targets,
        equity_curve,
        closed_trades,
        position_conflicts,
        source_reliability,
        data_quality,
        exits,
        universe,
        bars_asked_again,
        coarse_bars,
        lake_upkeep,
        dagster_upkeep,
    ],
    asset_checks=[*ALL_CHECKS, ledger_equals_exchange],
    jobs=[decide, execute, reports, stand_in_for_guard],
    schedules=[*SCHEDULES, repair_schedule],
    sensors=[on_approved_targets, on_approved_targets_twin, exit_watch],
    resources={"stack": stack, IO_MANAGER_KEY: LakeIOManager(stack=stack)},
    # The default would start an interpreter per step, and cannot run below Celery at all.
    executor=dg.in_process_executor,
)
