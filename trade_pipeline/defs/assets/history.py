"""The night's work: the bars of the day that is over once more, coarser ones, upkeep of lake and Dagster's storage."""

# No postponed annotations here: Dagster reads the type of `context` itself.

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import dagster as dg
import polars as pl

from trade_pipeline.defs.asset_kinds import OWNERS, lake_asset
from trade_pipeline.defs.day_frames import DayFrames
from trade_pipeline.defs.maintenance import prune
from trade_pipeline.defs.partitions import DAILY, DAY, day_start, last_close
from trade_pipeline.defs.resources import OpenStack, Stack
from trade_pipeline.market_data.fetch import fetch_span
from trade_pipeline.market_data.lake import WriteResult
from trade_pipeline.market_data.resample import resample
from trade_pipeline.market_data.revisions import BAR_FACTS, revised_values
from trade_pipeline.market_data.sources.protocol import Tier
from trade_pipeline.market_data.upkeep import TableHealth, keep_up
from trade_pipeline.schemas import frames

LEFT_TO_DECISIONS = timedelta(minutes=5)
CHANGES_SHOWN_MAX = 50
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
    name="bars_asked_again",
    group_name="market",
    description="Bars of a day that is over, asked for once more: what the exchange has changed late is a revision.",
    kinds={"deltalake"},
    owners=OWNERS,
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=["raw_bars"],
)
def bars_asked_again(context: dg.AssetExecutionContext, stack: Stack) -> dg.MaterializeResult[None]:
    """Days that are computed from the old values are computed again by `repair`."""
    answers = [ask_again(stack.open, day) for day in context.partition_keys]
    changed = pl.concat([changed for _, changed, _ in answers])
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(written.rows for written, _, _ in answers),
            "rows_added": sum(written.rows_added for written, _, _ in answers),
            "rows_revised": sum(written.rows_revised for written, _, _ in answers),
            "not_answered": dg.MetadataValue.json([dict(late) for _, _, late in answers if late]),
            "changed": table_of_changes(changed.head(CHANGES_SHOWN_MAX)),
        }
    )


def ask_again(stack: OpenStack, day: str) -> tuple[WriteResult, pl.DataFrame, Mapping[str, str]]:
    """What was written of the exchange that is traded on, the values that changed, and who did not answer."""
    begin = day_start(day)
    # The newest bars are the decisions' own: they are not final yet, or being read.
    end = min(begin + DAY, last_close(stack.now()) - LEFT_TO_DECISIONS)
    fetched = fetch_span(stack.market, stack.universe_of_day(day, end), begin, end)
    first = [name for name, origin in fetched.provenance.items() if origin.tier is Tier.PRIMARY]
    known_at = stack.now()
    written = stack.lake.append("raw_bars", fetched.frame.filter(pl.col("symbol").is_in(first)), known_at=known_at)
    changed = revised_values(stack.lake.history("raw_bars", [day]), ("symbol", "open_time"), BAR_FACTS)
    return written, changed.filter(pl.col("known_at") >= frames.moment(known_at)), fetched.late


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


def table_of_changes(changed: pl.DataFrame) -> dg.MetadataValue:
    """A row for each value that is another one now."""
    names = ("symbol", "open_time", "column", "was", "is")
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: str(row[name]) for name in names}) for row in changed.iter_rows(named=True)],
        schema=dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in names]),
    )


def table_of_health(health: Sequence[TableHealth]) -> dg.MetadataValue:
    """A row for each table of the lake."""
    names = ("table", "days", "rows", "files_before", "files", "size_bytes", "megabytes_per_million_rows")
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: str(getattr(table, name)) for name in names}) for table in health],
        schema=dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in names]),
    )
