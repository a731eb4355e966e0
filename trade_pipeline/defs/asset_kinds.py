"""What every asset of the shell has in common: kinds, owners, partitions, storage, column schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import dagster as dg

from trade_pipeline.defs.io_manager import IO_MANAGER_KEY, column_schema
from trade_pipeline.defs.partitions import DAILY
from trade_pipeline.market_data.tables import table_of

OWNERS = ["team:trading"]
AssetDecorator: TypeAlias = Callable[[Callable[..., Any]], dg.AssetsDefinition]


def lake_asset(
    name: str, group: str, description: str, *, ins: Mapping[str, dg.AssetIn] | None = None
) -> AssetDecorator:
    """Decorator of an asset that is a table of the lake with one partition a day; `ins` for other than usual inputs."""
    return dg.asset(
        name=name,
        group_name=group,
        ins=ins,
        description=description,
        kinds={"polars", "deltalake"},
        owners=OWNERS,
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key=IO_MANAGER_KEY,
        metadata={"dagster/column_schema": column_schema(table_of(name).columns)},
    )


def report_asset(name: str, description: str) -> AssetDecorator:
    """Decorator of a report from the ledger, drawn anew each time."""
    return dg.asset(
        name=name,
        group_name="reports",
        description=description,
        kinds={"postgres", "matplotlib"},
        owners=OWNERS,
        deps=["approved_targets"],
    )


def lake_out(name: str, description: str) -> dg.AssetOut:
    """One table of an asset that writes several; what `lake_asset` says of each."""
    return dg.AssetOut(
        description=description,
        kinds={"polars", "deltalake"},
        owners=OWNERS,
        io_manager_key=IO_MANAGER_KEY,
        is_required=False,
        metadata={"dagster/column_schema": column_schema(table_of(name).columns)},
    )
