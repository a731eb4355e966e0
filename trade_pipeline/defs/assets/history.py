"""The night's work: coarser bars of the day that is over, the upkeep of the lake, and of Dagster's storage."""

# No postponed annotations here: Dagster reads the type of `context` itself.

from collections.abc import Sequence
from datetime import datetime, timedelta

import dagster as dg
import polars as pl

from trade_pipeline.defs.asset_kinds import OWNERS, lake_asset
from trade_pipeline.defs.day_frames import DayFrames
from trade_pipeline.defs.maintenance import prune
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


@dg.asset(
    name="dagster_upkeep",
    group_name="runs",
    description="Removes Dagster's runs beyond their age; what must last of them is in the ledger.",
    kinds={"postgres"},
    owners=OWNERS,
    deps=[lake_upkeep],
)
def dagster_upkeep(context: dg.AssetExecutionContext, stack: Stack) -> dg.MaterializeResult[None]:
    opened = stack.open
    runtime = opened.settings.runtime
    done = prune(
        context.instance,
        opened.ledger,
        opened.secrets.ledger_url,
        before=opened.now() - timedelta(days=runtime.runs_kept_days),
        seconds_max=runtime.prune_s_max,
    )
    return dg.MaterializeResult(
        metadata={
            "runs_removed": done.runs,
            "checks_removed": done.checks,
            "decisions_noted": done.decisions_noted,
            "time_ran_out": done.left,
            "took_s": round(done.took_s, 1),
            "runs_before": done.before.runs,
            "runs": done.after.runs,
            "events_before": done.before.events,
            "events": done.after.events,
            "bytes_before": done.before.bytes,
            "size_bytes": done.after.bytes,
        }
    )


def table_of_health(health: Sequence[TableHealth]) -> dg.MetadataValue:
    """A row for each table of the lake."""
    names = ("table", "days", "rows", "files_before", "files", "size_bytes", "megabytes_per_million_rows")
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: str(getattr(table, name)) for name in names}) for table in health],
        schema=dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in names]),
    )
