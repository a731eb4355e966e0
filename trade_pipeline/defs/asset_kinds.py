"""What every asset of the shell has in common: kinds, owners, partitions, storage, column schema."""

from __future__ import annotations

from typing import Any

import dagster as dg

from trade_pipeline.defs.io_manager import IO_MANAGER_KEY, column_schema
from trade_pipeline.defs.partitions import DAILY
from trade_pipeline.market_data.tables import table_of

OWNERS = ["team:trading"]


def lake_asset(name: str, group: str, description: str, *kinds: str) -> dict[str, Any]:
    """Keyword arguments of `@dg.asset` for a table of the lake with one partition a day."""
    return {
        "name": name,
        "group_name": group,
        "description": description,
        "kinds": {"polars", "deltalake", *kinds},
        "owners": OWNERS,
        "partitions_def": DAILY,
        "backfill_policy": dg.BackfillPolicy.single_run(),
        "io_manager_key": IO_MANAGER_KEY,
        "metadata": {"dagster/column_schema": column_schema(table_of(name).columns)},
    }


def report_asset(name: str, description: str) -> dict[str, Any]:
    """Keyword arguments of `@dg.asset` for a report from the ledger, drawn anew each time."""
    return {
        "name": name,
        "group_name": "reports",
        "description": description,
        "kinds": {"postgres", "matplotlib"},
        "owners": OWNERS,
        "deps": ["approved_targets"],
    }
