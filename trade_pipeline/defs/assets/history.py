"""The lake at rest: coarser bars of days that are over, and its nightly upkeep."""

# No postponed annotations here: Dagster reads the type of `context` itself.

from collections.abc import Sequence
from datetime import datetime

import dagster as dg
import polars as pl

from trade_pipeline.defs.asset_kinds import OWNERS, lake_asset
from trade_pipeline.defs.day_frames import DayFrames
from trade_pipeline.defs.resources import Stack
from trade_pipeline.market_data.resample import resample
from trade_pipeline.market_data.upkeep import TableHealth, keep_up
from trade_pipeline.schemas import frames

THE_DAY_ALONE = dg.AssetIn(metadata={"warmup": False})


@lake_asset("coarse_bars", "market", "Bars of 5 minutes to a day, from those of a minute.", ins={"bars": THE_DAY_ALONE})
def coarse_bars(stack: Stack, bars: DayFrames) -> DayFrames:
    lengths = stack.open.settings.storage.coarse_lengths_s
    return DayFrames(bars.windows, lambda window: coarser(bars.load(window), lengths, window.as_of))


def coarser(bars: pl.DataFrame, lengths_s: Sequence[int], as_of: datetime) -> pl.DataFrame:
    """Bars of every length, with COARSE_BARS' columns."""
    return pl.concat(
        [
            frames.empty(frames.COARSE_BARS),
            *(resample(bars, length_s=length_s, as_of=as_of) for length_s in lengths_s),
        ]
    )


@dg.asset(
    name="lake_upkeep",
    group_name="market",
    description="Merges the files of days that are over, removes what nobody can ask for any more, says what is left.",
    kinds={"deltalake"},
    owners=OWNERS,
    deps=[coarse_bars],
)
def lake_upkeep(stack: Stack) -> dg.MaterializeResult[None]:
    opened = stack.open
    health = keep_up(opened.lake, today=opened.now().date(), keep_hours=opened.settings.storage.versions_kept_hours)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(table.rows for table in health),
            "size_bytes": sum(table.size_bytes for table in health),
            "files": sum(table.files for table in health),
            "files_removed": sum(table.files_removed for table in health),
            "tables": table_of_health(health),
        }
    )


def table_of_health(health: Sequence[TableHealth]) -> dg.MetadataValue:
    """A row for each table of the lake."""
    names = ("table", "days", "rows", "files_before", "files", "size_bytes", "megabytes_per_million_rows")
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: str(getattr(table, name)) for name in names}) for table in health],
        schema=dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in names]),
    )
