"""The process whose memory is measured while it decides: the last two minutes of a day, when the window is longest.

`python -m trade_pipeline.measured.decision SYMBOLS` prints one JSON object. Every table is read from and written to a
lake, as the assets do; what Dagster adds to a run is not in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import polars as pl

from trade_pipeline.bench.measure import PeakMemory, resident_mb
from trade_pipeline.defs.decision import Evaluation, Surroundings, decision_id_of, facts_of, targets_of
from trade_pipeline.defs.io_manager import append, read_window
from trade_pipeline.defs.judging import judged
from trade_pipeline.defs.partitions import BAR, DAY, Window, day_start, window_of
from trade_pipeline.defs.resources import OpenStack
from trade_pipeline.features.compute import compute_features
from trade_pipeline.market_data.fetch import next_wanted
from trade_pipeline.market_data.tables import table_of
from trade_pipeline.measured.made_stack import FIRST_DAY, days_from, fill_lake, made_home, whole_days
from trade_pipeline.quality.hold import held_at
from trade_pipeline.schemas.trading import AccountSnapshot, MarketRules
from trade_pipeline.settings.home import Home
from trade_pipeline.signals.combine import compute_signals
from trade_pipeline.signals.regimes import compute_regimes

BEFORE, TODAY = days_from(FIRST_DAY, 2)
CASH = Decimal(100_000)


def decide(stack: OpenStack, as_of: datetime) -> pl.DataFrame:
    """The TARGETS frame of the bar that closes at `as_of`; each table through the lake, as the assets do it."""
    settings = stack.settings
    window = window_of(TODAY, as_of, settings.market.warmup_bars)
    stored = _read(stack, "raw_bars", window)
    next_wanted(stored, stack.universe(as_of), window.start)
    del stored
    fresh = pl.read_parquet(fresh_file(stack.home)).filter(pl.col("close_time") == as_of)
    append(stack, table_of("raw_bars"), window, fresh)
    verdict = judged(_read(stack, "raw_bars", window), window, stack, live=True)
    append(stack, table_of("bars"), window, verdict.bars)
    append(stack, table_of("quality_scores"), window, verdict.scores)
    del verdict
    _write(stack, "features", window, compute_features(_read(stack, "bars", window), settings.features))
    regimes = compute_regimes(_read(stack, "features", window), settings.strategies.regimes)
    _write(stack, "regimes", window, regimes)
    del regimes
    signals = compute_signals(_read(stack, "features", window), _read(stack, "regimes", window), settings.strategies)
    _write(stack, "signals", window, signals)
    del signals
    return _targets(stack, window)


def _targets(stack: OpenStack, window: Window) -> pl.DataFrame:
    evaluation = Evaluation(_read(stack, "features", window), _read(stack, "signals", window)).at(window.as_of)
    symbols = stack.universe(window.as_of)
    held = held_at(_read(stack, "quality_scores", window), symbols, window.as_of)
    decision_id = decision_id_of(stack.settings, window.as_of, "measured", evaluation.signals, held)
    around = Surroundings(symbols, (), {symbol: made_rules(symbol) for symbol in symbols}, held)
    account = AccountSnapshot(decision_id, stack.settings.account, window.as_of, "USDT", CASH, CASH, CASH, CASH)
    frame = targets_of(evaluation, account, stack.settings, around, decision_id=decision_id, as_of=window.as_of)
    facts_of(evaluation)
    _write(stack, "target_positions", window, frame)
    return frame


def _read(stack: OpenStack, table: str, window: Window) -> pl.DataFrame:
    return read_window(stack, table_of(table), window)


def _write(stack: OpenStack, table: str, window: Window, frame: pl.DataFrame) -> None:
    append(stack, table_of(table), window, frame)


def made_rules(symbol: str) -> MarketRules:
    """Rules that refuse nothing."""
    step, most = Decimal("0.00001"), Decimal(1_000_000)
    kinds = frozenset({"limit", "market", "stop_loss"})
    base, quote = symbol.split("/")
    fee = Decimal("0.001")
    return MarketRules(symbol, base, quote, True, step, step, most, step, step, most, most, Decimal(5), kinds, fee, fee)


def fresh_file(home: Home) -> Path:
    """What the exchange would answer: the last bars of the day."""
    return home.root / "fresh.parquet"


def prepare(home: Home) -> None:
    """The lake as the decision before the measured ones leaves it, and the bars of these."""
    stack = OpenStack(home)
    fill_lake(stack, [BEFORE])
    end = day_start(TODAY) + DAY
    day = whole_days(stack.settings.market.symbols)(TODAY)
    stack.lake.append("raw_bars", day.filter(pl.col("close_time") < end - 2 * BAR), known_at=stack.now())
    day.filter(pl.col("close_time") >= end - 2 * BAR).write_parquet(fresh_file(home))
    decide(stack, end - 2 * BAR)


def main(arguments: Sequence[str]) -> int:
    if arguments[0] == "prepare":
        prepare(Home.at(arguments[1]))
        return 0
    symbols = int(arguments[0])
    with tempfile.TemporaryDirectory(prefix="trade-pipeline-bench-") as folder:
        home = made_home(Path(folder), symbols)
        command = [sys.executable, "-m", "trade_pipeline.measured.decision", "prepare", str(home.root)]
        subprocess.run(command, check=True)  # noqa: S603  our own module, no shell
        stack, end = OpenStack(home), day_start(TODAY) + DAY
        stack.lake.version("bars")  # loads deltalake
        imports_mb, took_s, peaks_mb = resident_mb(), [], []
        for as_of in (end - BAR, end):
            memory, began = PeakMemory(), time.perf_counter()
            targets = decide(stack, as_of)
            took_s.append(round(time.perf_counter() - began, 3))
            peaks_mb.append(memory.peak_mb())
    found = {
        "symbols": symbols,
        "targets": targets.height,
        "window_bars": stack.settings.market.warmup_bars + 1440,
        "imports_mb": imports_mb,
        "first_peak_mb": peaks_mb[0],
        "second_peak_mb": peaks_mb[1],
        "beyond_imports_mb": round(max(peaks_mb) - imports_mb, 1),
        "took_s": took_s,
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
