"""What the code location offers: assets, dependencies, checks, jobs; and that a fork of it can compute."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from trade_pipeline.definitions import defs
from trade_pipeline.defs.checks import ALL_CHECKS, CHECKS, REQUIRED
from trade_pipeline.defs.jobs import QUEUE_TAG, RECOMPUTATION_CHECK
from trade_pipeline.quality.registry import RULES

REPOSITORY = Path(__file__).resolve().parents[2]

DEPENDENCIES: dict[str, set[str]] = {
    "raw_bars": set(),
    "bars": {"raw_bars"},
    "quarantined_bars": {"raw_bars"},
    "quality_scores": {"raw_bars"},
    "features": {"bars"},
    "regimes": {"features"},
    "signals": {"features", "regimes"},
    "target_positions": {"features", "signals", "quality_scores"},
    "approved_targets": {"target_positions"},
    "equity_curve": {"approved_targets"},
    "closed_trades": {"approved_targets"},
    "position_conflicts": {"approved_targets"},
    "source_reliability": {"raw_bars"},
    "exits": set(),
    "data_quality": {"quality_scores", "quarantined_bars"},
    "universe": set(),
    "bars_asked_again": {"raw_bars"},
    "coarse_bars": {"bars"},
    "lake_upkeep": {"coarse_bars"},
    "dagster_upkeep": {"lake_upkeep"},
}


def test_the_assets_and_their_dependencies_are_these() -> None:
    graph = defs.resolve_asset_graph()
    found = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }
    assert found == DEPENDENCIES


def test_every_check_declares_partitions_and_cannot_be_left_out() -> None:
    for definition in ALL_CHECKS:
        for spec in definition.check_specs:
            if spec.key == RECOMPUTATION_CHECK:
                assert not spec.blocking
                continue
            assert spec.partitions_def is not None, spec.key
            assert not definition.can_subset, spec.key


def test_the_gate_requires_every_blocking_check() -> None:
    assert {name: tuple(check.name for check in checks) for name, checks in CHECKS.items()} == dict(REQUIRED)
    blocking = {spec.key for definition in ALL_CHECKS for spec in definition.check_specs if spec.blocking}
    assert blocking == {
        dg.AssetCheckKey(dg.AssetKey(asset), name) for asset, names in REQUIRED.items() for name in names
    }


def test_every_rule_for_bars_is_shown_and_blocks_nobody() -> None:
    shown = {spec.name: spec for definition in ALL_CHECKS for spec in definition.check_specs if not spec.blocking}
    assert set(RULES) - {"schema"} == set(shown) - {RECOMPUTATION_CHECK.name}


def test_live_jobs_have_a_queue_an_end_and_no_second_try() -> None:
    for name, queue in (("decide", "decide"), ("execute", "execute")):
        tags = defs.resolve_job_def(name).tags
        assert tags[QUEUE_TAG] == queue
        assert int(tags["dagster/max_runtime"]) <= 50
        assert tags["dagster/max_retries"] == "0"
    for name in ("decide", "execute", "reports", "__ASSET_JOB"):
        assert defs.resolve_job_def(name).executor_def.name == "in_process"


def test_a_range_of_days_is_one_run() -> None:
    graph = defs.resolve_asset_graph()
    for name in ("raw_bars", "features", "target_positions"):
        policy = graph.get(dg.AssetKey(name)).backfill_policy
        assert policy is not None
        assert policy.max_partitions_per_run is None


def test_tables_are_described_for_the_ui() -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
    assert "dagster/column_schema" in graph.get(dg.AssetKey("features")).metadata


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_of_the_loaded_definitions_computes() -> None:
    """A module that evaluated a frame at import would hang the child of a warm worker for good."""
    code = """
import os, signal, sys
from trade_pipeline.definitions import defs
defs.get_repository_def().load_all_definitions()
child = os.fork()
if child == 0:
    signal.alarm(30)
    import tempfile
    from datetime import datetime, timezone
    import polars as pl
    from trade_pipeline.market_data.lake import Lake
    from trade_pipeline_tests.market_data.frames_of import START, bars
    lake = Lake(tempfile.mkdtemp())
    lake.append("raw_bars", bars(50), known_at=START)
    assert lake.read("raw_bars", ["2024-05-01"]).lazy().select(pl.col("close").sum()).collect().item() > 0
    os._exit(0)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
