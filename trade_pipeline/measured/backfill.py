"""The process that times a backfill: past days of made bars, judged, and computed to signals.

`python -m trade_pipeline.measured.backfill WAY DAYS SYMBOLS` prints one JSON object. Ways: "dagster" (a run of the
history chain over the whole range, as a single-run backfill is one), "lake" (the same reads, stages and writes without
Dagster), "functions" (the stages alone, on bars in memory).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import polars as pl

from trade_pipeline.bench.measure import PeakMemory, resident_mb
from trade_pipeline.defs import resources
from trade_pipeline.defs.assets.market import past_bars
from trade_pipeline.defs.decision import evaluate
from trade_pipeline.defs.io_manager import append, read_window
from trade_pipeline.defs.judging import judged
from trade_pipeline.defs.partitions import DAY, Window, day_start, window_of
from trade_pipeline.defs.resources import HOME_VARIABLE, OpenStack, open_stack
from trade_pipeline.errors import DataError
from trade_pipeline.features.compute import compute_features
from trade_pipeline.market_data.tables import table_of
from trade_pipeline.measured.made_stack import FIRST_DAY, days_from, fill_elsewhere, made_home, whole_days
from trade_pipeline.signals.combine import compute_signals
from trade_pipeline.signals.regimes import compute_regimes


class NoMarket:
    """In the place of the exchange: the lake has every bar, so that asking for one is an error of the measurement."""

    def fetch_bars(self, *_: object) -> Any:
        raise DataError("a measured backfill asked for bars", thing="bench backfill", repair="Fill the lake first.")

    def close(self) -> None:
        """There is nothing to close."""


def open_made(home: str) -> OpenStack:
    """The stack of that home as a process opens it anew."""
    resources.forget(home)
    stack = open_stack(home)
    stack.market = cast("Any", NoMarket())
    return stack


def through_dagster(home: str, days: Sequence[str]) -> int:
    """Rows of signals. As the UI launches a single-run backfill, on a temporary instance."""
    import dagster as dg

    from trade_pipeline.definitions import defs
    from trade_pipeline.defs.jobs import HISTORY_CHAIN

    open_made(home)
    tags = {"dagster/asset_partition_range_start": days[0], "dagster/asset_partition_range_end": days[-1]}
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as instance:
        job = defs.resolve_job_def("__ASSET_JOB")
        keys = [dg.AssetKey(name) for name in HISTORY_CHAIN]
        result = job.execute_in_process(instance=instance, tags=tags, asset_selection=keys)
    made = [event for event in result.get_asset_materialization_events() if event.asset_key == dg.AssetKey("signals")]
    rows = [event.materialization.metadata["dagster/partition_row_count"].value for event in made]
    return sum(int(str(value)) for value in rows)


def with_the_lake(home: str, days: Sequence[str]) -> int:
    """Rows of signals. The order of work is that of the run: one table over all days, then the next."""
    stack, windows = open_made(home), _windows(home, days)
    settings, notes = stack.settings, dict[str, dict[str, object]]()
    rows = 0

    def read(table: str, window: Window) -> pl.DataFrame:
        return read_window(stack, table_of(table), window)

    def write(table: str, load: Callable[[Window], pl.DataFrame]) -> int:
        return sum(append(stack, table_of(table), window, load(window)).rows for window in windows)

    write("raw_bars", lambda window: past_bars(stack, window, window == windows[0], notes))
    for window in windows:
        verdict = judged(read("raw_bars", window), window, stack, live=False)
        for table, frame in (
            ("bars", verdict.bars),
            ("quarantined_bars", verdict.quarantined),
            ("quality_scores", verdict.scores),
        ):
            append(stack, table_of(table), window, frame)
    write("features", lambda window: compute_features(read("bars", window), settings.features))
    write("regimes", lambda window: compute_regimes(read("features", window), settings.strategies.regimes))
    rows += write(
        "signals",
        lambda window: compute_signals(read("features", window), read("regimes", window), settings.strategies),
    )
    return rows


def functions_alone(home: str, days: Sequence[str]) -> int:
    """Rows of signals of bars in memory, judged and evaluated day by day."""
    stack, rows = open_made(home), 0
    day_of = whole_days(stack.settings.market.symbols)
    for window in _windows(home, days):
        raw = pl.concat([day_of(day) for day in window.dates])
        raw = raw.filter((pl.col("open_time") >= window.start) & (pl.col("close_time") <= window.as_of))
        bars = judged(raw, window, stack, live=False).bars
        rows += evaluate(bars, stack.settings).signals.height
    return rows


WAYS: dict[str, Callable[[str, Sequence[str]], int]] = {
    "dagster": through_dagster,
    "lake": with_the_lake,
    "functions": functions_alone,
}


def _windows(home: str, days: Sequence[str]) -> list[Window]:
    warmup = open_stack(home).settings.market.warmup_bars
    return [window_of(day, day_start(day) + DAY, warmup) for day in days]


def main(arguments: Sequence[str]) -> int:
    way, day_count, symbols = arguments[0], int(arguments[1]), int(arguments[2])
    with tempfile.TemporaryDirectory(prefix="trade-pipeline-bench-") as folder:
        home = made_home(Path(folder), symbols)
        os.environ[HOME_VARIABLE] = str(home.root)
        days = days_from(FIRST_DAY, day_count + 1)  # the first one is the warm-up of the second
        if way != "functions":
            fill_elsewhere(home, days)
        if way == "dagster":
            import trade_pipeline.definitions  # noqa: F401  # imports are not what is measured
        before_mb, memory, began = resident_mb(), PeakMemory(), time.perf_counter()
        signals = WAYS[way](str(home.root), days[1:])
        seconds, peak_mb = time.perf_counter() - began, memory.peak_mb()
        files = [path.stat().st_size for path in home.lake.rglob("*.parquet")]
    found = {
        "way": way,
        "days": day_count,
        "symbols": symbols,
        "bars": day_count * symbols * 1440,
        "signals": signals,
        "seconds": seconds,
        "peak_mb": peak_mb,
        "peak_beyond_imports_mb": round(peak_mb - before_mb, 1),
        "lake_mb": round(sum(files) / 1e6, 1),
        "lake_files": len(files),
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
