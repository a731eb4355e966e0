"""Bars: as the exchange gives them, and as decisions may read them; what was quarantined, and the scores."""

# No postponed annotations here: Dagster reads the type of `context` itself.

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import polars as pl

from trade_pipeline.defs.asset_kinds import lake_asset, lake_out
from trade_pipeline.defs.day_frames import DayFrames
from trade_pipeline.defs.io_manager import read_window
from trade_pipeline.defs.judging import doubted, judged
from trade_pipeline.defs.partitions import DAILY, DAY, Window, day_start
from trade_pipeline.defs.resources import OpenStack, Stack
from trade_pipeline.defs.run_time import run_time
from trade_pipeline.market_data.fetch import Fetched, fetch_closed, fetch_span, next_wanted
from trade_pipeline.market_data.sources.protocol import Tier
from trade_pipeline.market_data.sources.reference import Reference
from trade_pipeline.market_data.tables import table_of
from trade_pipeline.quality.judge import Judgement
from trade_pipeline.schemas import frames

BARS_PER_DAY = 1440


@lake_asset("raw_bars", "market", "Final one-minute bars, exactly as the exchange gave them.")
def raw_bars(context: dg.AssetExecutionContext, stack: Stack) -> DayFrames:
    """A live run adds what closed since the last one, a backfill the days that are not complete yet."""
    moment = run_time(context.run, context.instance)
    windows = moment.windows(context.partition_keys, stack.open.settings.market.warmup_bars)
    if moment.is_live(context.partition_keys):
        return live_bars(stack.open, windows[0])
    notes: dict[str, dict[str, object]] = {}
    return DayFrames(windows, lambda window: past_bars(stack.open, window, window == windows[0], notes), notes)


@dg.multi_asset(
    name="judge_bars",
    group_name="market",
    outs={
        "bars": lake_out("bars", "Bars that a decision may read: accepted, or repaired and saying how."),
        "quarantined_bars": lake_out("quarantined_bars", "Bars that no stage reads, with the rules that they broke."),
        "quality_scores": lake_out("quality_scores", "Score of each symbol and day, and why a symbol is held."),
    },
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=True,
)
def judge_bars(context: dg.AssetExecutionContext, stack: Stack, raw_bars: DayFrames) -> Iterator[dg.Output[DayFrames]]:
    """One verdict, three tables. A symbol with a defect is held by its score's row; the others go on."""
    live = run_time(context.run, context.instance).is_live(context.partition_keys)
    verdicts = _Verdicts(raw_bars, stack.open, live)
    frames = {"bars": verdicts.bars, "quarantined_bars": verdicts.quarantined, "quality_scores": verdicts.scores}
    for name, load in frames.items():
        if name in context.selected_output_names:
            yield dg.Output(DayFrames(raw_bars.windows, load, verdicts.notes), output_name=name)


class _Verdicts:
    """The verdicts of a run's windows. Each is made once; of past ones only the small tables are kept."""

    def __init__(self, raw_bars: DayFrames, stack: OpenStack, live: bool) -> None:
        self._raw, self._stack, self._live = raw_bars, stack, live
        self._small: dict[str, tuple[pl.DataFrame, pl.DataFrame]] = {}
        self.notes: dict[str, dict[str, object]] = {}

    def bars(self, window: Window) -> pl.DataFrame:
        return self._judge(window).bars

    def quarantined(self, window: Window) -> pl.DataFrame:
        return self._tables(window)[0]

    def scores(self, window: Window) -> pl.DataFrame:
        return self._tables(window)[1]

    def _tables(self, window: Window) -> tuple[pl.DataFrame, pl.DataFrame]:
        if window.day not in self._small:
            self._judge(window)
        return self._small[window.day]

    def _judge(self, window: Window) -> Judgement:
        verdict = judged(self._raw.load(window), window, self._stack, live=self._live)
        # Of the warm-up before the day only a part is seen here: its score is that of its own day's decisions.
        own = verdict.scores.filter(pl.col("open_time") >= day_start(window.day))
        self._small[window.day] = verdict.quarantined, own
        self.notes[window.day] = {
            "judged": verdict.rows,
            "accepted": verdict.accepted,
            "repaired": verdict.repaired,
            "quarantined": verdict.quarantined.height,
            "filled": verdict.filled,
            "rules": dg.MetadataValue.json(verdict.count_by_rule()),
            "held": dg.MetadataValue.json(dict(verdict.held)),
        }
        return verdict


def live_bars(stack: OpenStack, window: Window) -> DayFrames:
    """Bars that closed since those stored; symbols whose last bar was not final in time are named in the notes."""
    stored = read_window(stack, table_of("raw_bars"), window)
    doubts = doubted(stored, window, stack)
    trusted = stored.join(doubts, on=frames.BAR_KEY, how="anti") if doubts.height else stored
    # Holes that no source fills (minutes without a trade) are not asked for in every run.
    due = stack.holes.at(window.as_of)
    since = next_wanted(trusted, stack.universe(window.as_of), window.start, due)
    stack.market.remember(stored)
    in_play = stack.in_play()
    reference = Reference(stack.market, stack.settings, stack.now)
    reference.begin([*in_play, *(symbol for symbol in since if symbol not in in_play)], window.as_of, doubts)
    fetched = fetch_closed(stack.market, since, window.as_of, stack.settings.market, first=in_play)
    stack.holes.answered(fetched.answered)
    stack.warmer.after(window.as_of, [*in_play, *(symbol for symbol in since if symbol not in in_play)])
    notes: dict[str, object] = {
        "late_symbols": dg.MetadataValue.json(dict(fetched.late)),
        "late": len(fetched.late),
        "doubled": keep_doubled(stack, fetched),
        "reads": fetched.reads,
        "sources": dg.MetadataValue.json(origins_of(fetched)),
    }
    compared = reference.bars()
    if compared is not None:
        # Kept before the bars are judged: every step of the run, and history after it, holds them against the same.
        stack.lake.append("reference_bars", compared, known_at=stack.now())
        notes["compared_with_second_source"] = compared.get_column("symbol").n_unique()
    if fetched.final_at is not None:
        # Latency counts from the nominal close, and beside it from the first candle known to be final.
        notes["final_after_ms"] = int((fetched.final_at - window.as_of) / timedelta(milliseconds=1))
    return DayFrames((window,), lambda _: fetched.frame, {window.day: notes})


def keep_doubled(stack: OpenStack, fetched: Fetched) -> int:
    """Keeps what a fetch merged or refused, before the bars are judged: every step of the run is to see it."""
    if fetched.doubled.height:
        stack.lake.append("doubled_bars", fetched.doubled, known_at=stack.now())
    return fetched.doubled.height


def origins_of(fetched: Fetched) -> dict[str, object]:
    """How many symbols each source answered, and every answer that did not come fresh from the first one."""
    counts = Counter(f"{origin.source}, {origin.tier}" for origin in fetched.provenance.values())
    others = {
        symbol: {
            "source": origin.source,
            "tier": str(origin.tier),
            "fetched_at": origin.fetched_at.isoformat(),
            "age_s": round(origin.age_s, 3),
            "stale": origin.stale,
            "latency_ms": round(origin.latency_ms, 1),
            "failed_before": list(origin.failed_before),
        }
        for symbol, origin in sorted(fetched.provenance.items())
        if origin.tier is not Tier.PRIMARY
    }
    return {"symbols": dict(counts), "not_from_the_first": others}


def past_bars(stack: OpenStack, window: Window, is_first: bool, notes: dict[str, dict[str, object]]) -> pl.DataFrame:
    """A past day's bars; the first day of a range comes with its warm-up. A complete day is not fetched again."""
    begin = window.start if is_first else day_start(window.day)
    symbols = stack.universe_of_day(window.day, window.as_of)
    table = table_of("raw_bars")
    stored = read_window(stack, table, window).filter(pl.col("open_time") >= begin)
    end = min(window.as_of, day_start(window.day) + DAY)
    expected = int((end - begin) / timedelta(minutes=1))
    counts: dict[str, int] = dict(stored.group_by("symbol").len().iter_rows())
    missing = [symbol for symbol in symbols if counts.get(symbol, 0) < expected]
    fetched = fetch_span(stack.market, missing, begin, end)
    notes[window.day] = {
        "symbols_fetched": len(missing),
        "doubled": keep_doubled(stack, fetched),
        "late_symbols": dg.MetadataValue.json(dict(fetched.late)),
        "sources": dg.MetadataValue.json(origins_of(fetched)),
    }
    return pl.concat([stored.filter(~pl.col("symbol").is_in(missing)), fetched.frame])
