"""Between assets and the lake: stores what is new of every day, loads the window that an evaluation starts with."""

# No postponed annotations here: pydantic has to see `ResourceDependency` itself.

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from types import MappingProxyType

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


class LakeIOManager(dg.ConfigurableIOManager):
    """Outputs and inputs are DayFrames.

    Loaded is the evaluation's window, its warm-up included. An AssetIn's metadata may ask for something else of
    tables dated by their own time: `warmup: False` for the day alone, `lookback_days: N` for N whole days before it.
    """

    stack: dg.ResourceDependency[Stack]

    def handle_output(self, context: dg.OutputContext, obj: DayFrames) -> None:
        stack = self.stack.open
        table = table_of(context.asset_key.path[-1])
        for window, frame in obj:
            result = append(stack, table, window, frame)
            metadata = day_metadata(result) | obj.notes.get(window.day, {})
            context.step_context.add_asset_metadata(
                metadata=metadata, asset_key=context.asset_key, partition_key=window.day
            )

    def load_input(self, context: dg.InputContext) -> DayFrames:
        stack = self.stack.open
        table = table_of(context.asset_key.path[-1])
        metadata = context.definition_metadata or {}
        moment = run_time(context.step_context.dagster_run, context.instance)
        windows = moment.windows(list(context.asset_partition_keys), stack.settings.market.warmup_bars)
        return DayFrames(windows, lambda window: read_window(stack, table, window, metadata))


def read_window(
    stack: OpenStack, table: Table, window: Window, metadata: Mapping[str, object] = MappingProxyType({})
) -> pl.DataFrame:
    """Rows of `table` that an evaluation of `window` may see, sorted by key."""
    wanted = pl.col("close_time" if "close_time" in table.columns else table.time) <= window.as_of
    if table.time == "open_time" and _wants_window(metadata):
        wanted &= pl.col("open_time") >= window.start
    return stack.lake.read(table.name, _dates(table, window, metadata), where=wanted)


def _wants_window(metadata: Mapping[str, object]) -> bool:
    return bool(metadata.get("warmup", "lookback_days" not in metadata))


def _dates(table: Table, window: Window, metadata: Mapping[str, object]) -> Sequence[str]:
    """Partitions to read."""
    if table.anchored:
        return [window.day]
    if _wants_window(metadata):
        return window.dates
    lookback = metadata.get("lookback_days", 0)
    if not isinstance(lookback, int) or lookback < 0:
        raise DataError("lookback_days is no whole number", thing=f"input {table.name}", value=lookback)
    last = date.fromisoformat(window.day)
    return [str(last - timedelta(days=back)) for back in range(lookback + 1)]


def append(stack: OpenStack, table: Table, window: Window, frame: pl.DataFrame) -> WriteResult:
    """Store what is new in a day's frame."""
    day = window.day if table.anchored else None
    return stack.lake.append(table.name, frame, table.key, stack.now(), day=day)


def day_metadata(result: WriteResult) -> dict[str, object]:
    """What the UI shows of a day, and what a decision cites."""
    return {
        "dagster/partition_row_count": result.rows,
        "rows_added": result.rows_added,
        "rows_revised": result.rows_revised,
        "table_version": result.version,
        "content_hash": result.content_hash,
    }


def column_schema(columns: Mapping[str, pl.DataType]) -> dg.TableSchema:
    """Columns and types for the UI."""
    return dg.TableSchema(columns=[dg.TableColumn(name=name, type=str(dtype)) for name, dtype in columns.items()])
