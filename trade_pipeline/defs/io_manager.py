"""Between assets and the lake: stores what is new of every day, loads the window that an evaluation starts with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg
import polars as pl

from trade_pipeline.defs.day_frames import DayFrames
from trade_pipeline.defs.partitions import Window
from trade_pipeline.defs.resources import OpenStack, Stack
from trade_pipeline.defs.run_time import run_time
from trade_pipeline.errors import DataError
from trade_pipeline.market_data.lake import WriteResult
from trade_pipeline.market_data.tables import Table, table_of

IO_MANAGER_KEY = "lake_io_manager"
WARMUP = {"warmup": True}
"""Metadata of an AssetIn that wants the rows before the day that every evaluation starts with."""


class LakeIOManager(dg.ConfigurableIOManager):
    """Outputs are DayFrames, or one frame for a run of one day; inputs are DayFrames.

    An AssetIn's metadata says what is loaded of tables dated by their own time: `warmup: True` the whole window,
    `lookback_days: N` N days before the day, nothing only the day. Anchored tables hold their warm-up themselves.
    """

    stack: dg.ResourceDependency[Stack]

    def handle_output(self, context: dg.OutputContext, obj: DayFrames | pl.DataFrame) -> None:
        stack = self.stack.open
        table = table_of(context.asset_key.path[-1])
        days = obj if isinstance(obj, DayFrames) else _one_day(context, obj, stack)
        written = {window.day: _append(stack, table, window, frame) for window, frame in days}
        for day, result in written.items():
            context.step_context.add_asset_metadata(_day_metadata(result), context.asset_key, day)
        context.add_output_metadata({"dagster/column_schema": column_schema(table.columns)})

    def load_input(self, context: dg.InputContext) -> DayFrames:
        stack = self.stack.open
        table = table_of(context.asset_key.path[-1])
        metadata = context.definition_metadata or {}
        moment = run_time(context.step_context.dagster_run, context.instance)
        windows = moment.windows(list(context.asset_partition_keys), stack.settings.market.warmup_bars)
        return DayFrames(windows, lambda window: read_window(stack, table, window, metadata))


def read_window(
    stack: OpenStack, table: Table, window: Window, metadata: Mapping[str, object], *, as_seen: object = None
) -> pl.DataFrame:
    """Rows of `table` that an evaluation of `window` may see, sorted by key."""
    frame = stack.lake.read(table.name, _dates(table, window, metadata))
    if "close_time" in table.columns:
        frame = frame.filter(pl.col("close_time") <= window.as_of)
        if table.anchored or metadata.get("warmup"):
            frame = frame.filter(pl.col("open_time") >= window.start)
    else:
        frame = frame.filter(pl.col(table.time) <= window.as_of)
    return frame


def _dates(table: Table, window: Window, metadata: Mapping[str, object]) -> Sequence[str]:
    if table.anchored:
        return [window.day]
    if metadata.get("warmup"):
        return window.dates
    lookback = metadata.get("lookback_days", 0)
    if not isinstance(lookback, int):
        raise DataError("lookback_days is no whole number", thing=f"input {table.name}", value=lookback)
    days = window.dates
    return [day for day in days if day >= window.day] if not lookback else days_back(window.day, lookback)


def days_back(day: str, count: int) -> list[str]:
    """`day` and the `count` days before it."""
    last = pl.date(*(int(part) for part in day.split("-")))
    return [str(value) for value in pl.select(pl.date_range(last - pl.duration(days=count), last)).to_series()]


def _one_day(context: dg.OutputContext, frame: pl.DataFrame, stack: OpenStack) -> DayFrames:
    moment = run_time(context.step_context.dagster_run, context.step_context.instance)
    windows = moment.windows(list(context.asset_partition_keys), stack.settings.market.warmup_bars)
    if len(windows) != 1:
        raise DataError("one frame for several days", thing=str(context.asset_key), value=len(windows))
    return DayFrames(windows, lambda _: frame)


def _append(stack: OpenStack, table: Table, window: Window, frame: pl.DataFrame) -> WriteResult:
    return stack.lake.append(table.name, frame, table.key, stack.now(), day=window.day if table.anchored else None)


def _day_metadata(result: WriteResult) -> dict[str, object]:
    return {
        "dagster/row_count": result.rows,
        "rows_added": result.rows_added,
        "rows_revised": result.rows_revised,
        "table_version": result.version,
        "content_hash": result.content_hash,
    }


def column_schema(columns: Mapping[str, pl.DataType]) -> dg.TableSchema:
    """Columns and types for the UI."""
    return dg.TableSchema(columns=[dg.TableColumn(name=name, type=str(dtype)) for name, dtype in columns.items()])
