"""Which symbols are traded: a scan of the exchange every hour, kept point in time."""

# No postponed annotations here: Dagster reads the type of `context` itself.

from datetime import datetime

import dagster as dg
import polars as pl

from trade_pipeline.defs.asset_kinds import lake_asset
from trade_pipeline.defs.day_frames import DayFrames
from trade_pipeline.defs.resources import OpenStack, Stack
from trade_pipeline.defs.run_time import run_time
from trade_pipeline.errors import DataError, MalformedAnswer
from trade_pipeline.market_data.universe import chosen, first_bars, screen

LEFT_OUT_SHOWN_MAX = 50


@lake_asset("universe", "market", "Symbols of the exchange by the filters of the settings, with the reason for each.")
def universe(context: dg.AssetExecutionContext, stack: Stack) -> DayFrames:
    """Only now can be scanned: what the exchange offered on a past day, only the scans of that day know."""
    moment = run_time(context.run, context.instance)
    if not moment.is_live(context.partition_keys):
        raise DataError(
            "a past day cannot be scanned",
            thing="universe",
            value=list(context.partition_keys),
            repair="Leave it out of the backfill.",
        )
    (window,) = moment.windows(context.partition_keys, 0)
    frame = scan(stack.open, moment.as_of)
    return DayFrames((window,), lambda _: frame, {window.day: notes_of(frame)})


def scan(stack: OpenStack, as_of: datetime) -> pl.DataFrame:
    """A UNIVERSE frame of `as_of`. One request for all tickers; first bars only where an age is asked for.

    Raises MalformedAnswer where the exchange tells nothing of any symbol: the scan before stays in force.
    """
    settings = stack.settings
    active = [
        rule.symbol for rule in stack.rules().values() if rule.active and rule.quote == settings.market.quote_asset
    ]
    tickers = stack.market.day_tickers(active)
    if tickers.is_empty():
        raise MalformedAnswer(
            "it tells nothing of any symbol", thing="tickers of 24 hours", value=f"{len(active)} asked"
        )
    known = first_bars(stack.lake, as_of)
    if settings.universe.age_days_min:
        known |= stack.market.listed_at([symbol for symbol in active if symbol not in known])
    return screen(
        tickers,
        active,
        settings.universe,
        scanned_at=as_of,
        symbols_max=settings.market.symbols_max,
        listed_at=known,
        before=chosen(stack.lake, as_of) or (),
    )


def notes_of(frame: pl.DataFrame) -> dict[str, object]:
    """Counts, and why the most traded of those left out are."""
    out = frame.filter(~pl.col("selected")).sort("day_volume_quote", descending=True, nulls_last=True)
    names = ("symbol", "reason", "rank", "day_volume_quote", "spread_ratio", "day_range_ratio", "price")
    return {
        "symbols": frame.height,
        "selected": int(frame.get_column("selected").sum()),
        "left_out": dg.MetadataValue.table(
            records=[
                dg.TableRecord({name: str(row[name]) for name in names})
                for row in out.head(LEFT_OUT_SHOWN_MAX).iter_rows(named=True)
            ],
            schema=dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in names]),
        ),
    }
