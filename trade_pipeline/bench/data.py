"""What ingest and quality cost, and what fetching does.

Every file read, held against every rule and written, as a ratio within one run to what polars takes to read and write
the same bars as parquet. Two hundred symbols fetched through ccxt from a simulated exchange on this machine.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path

import polars as pl

from trade_pipeline.bench.measure import Report
from trade_pipeline.errors import DataError
from trade_pipeline.market_data.universe import screen
from trade_pipeline.quality.recordings import judged_files
from trade_pipeline.recorded.reading import UNNAMED, read_recorded
from trade_pipeline.recorded.values import RecordedBars
from trade_pipeline.runtime.throwaway_exchange import throwaway_exchange
from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.settings.quality import QualitySettings
from trade_pipeline.settings.universe import UniverseSettings
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline.venues.protocols import BarsAnswer
from trade_pipeline.venues.shared_budget import SharedBudget

ROUNDS = 3
RATIO_AIM = 3.0
SYMBOLS = 200
SCANNED, SCAN_S_AIM = 500, 2.0
FETCHES = 5
FETCH_PER_MIN_FLOOR = 200.0
FETCH_CONCURRENCY = 20
KINDS = (".feather", ".parquet", ".json", ".gz", ".csv")


def measure_data(paths: Sequence[Path], settings: QualitySettings, tell: Callable[[str], None]) -> Report:
    """Rows "polars" (read and write) and "ingest" (read, judge, write), the median of rounds that take turns.

    Raises DataError where the paths hold no bars.
    """
    report = Report("data", tell)
    bars = list(_recorded(files_in(paths)))
    if not bars:
        raise DataError("there are no recorded bars", thing="--data", value=[str(path) for path in paths],
                        repair="Name a file or folder of recorded bars.")  # fmt: skip
    count = sum(item.bars.height for item in bars)
    with tempfile.TemporaryDirectory(prefix="trade-pipeline-bench-") as folder:
        whole = Path(folder) / "bars.parquet"
        pl.concat([item.bars for item in bars]).write_parquet(whole)
        files = [item.path for item in bars]
        del bars
        plain, ours = [], []
        for _ in range(ROUNDS):
            plain.append(_timed(lambda: _copy(whole, Path(folder) / "copy.parquet")))
            ours.append(_timed(lambda: _ingest(files, settings, Path(folder))))
        with report.row("ingest", count, "bars"):
            _ingest(files, settings, Path(folder))
    ratio = statistics.median(ours) / statistics.median(plain)
    report.ratio("ingest to polars", ratio)
    _fetch(report)
    _scan(report)
    report.summary = {
        "bars": count,
        "files": len(files),
        "polars_s": round(statistics.median(plain), 4),
        "ingest_s": round(statistics.median(ours), 4),
        "ratio": round(ratio, 3),
        "ratio_aim": RATIO_AIM,
    }
    return report


def _fetch(report: Report) -> None:
    """The newest minutes of every symbol, as a decision asks for them; after the first time, on open connections."""
    market = MarketSettings(fetch_concurrency=FETCH_CONCURRENCY)
    with (
        tempfile.TemporaryDirectory(prefix="trade-pipeline-bench-") as folder,
        throwaway_exchange(Path(folder), symbols=SYMBOLS, history_days=1, weight_limit_per_minute=10**9) as exchange,
    ):
        # With the budget of all processes, as every process of a stack has it: without one, ccxt looks through all
        # requests of the last minute before each.
        budget = SharedBudget(exchange.home.budgets / "bench.budget", 10**9)
        venue = BinanceMarketData(exchange.url, market, weight_per_minute=10**9, budget=budget)
        symbols = sorted(venue.markets())
        since = venue.server_time() - timedelta(minutes=5)
        _complete(venue.fetch_bars(symbols, since), symbols)
        with report.row("fetch", SYMBOLS * FETCHES, "symbols", floor_per_min=FETCH_PER_MIN_FLOOR,
                        aim_per_s=FETCH_PER_MIN_FLOOR * 100 / 60, served_by=exchange.process_id):  # fmt: skip
            for _ in range(FETCHES):
                _complete(venue.fetch_bars(symbols, since), symbols)
        venue.close()


def _scan(report: Report) -> None:
    """The hourly look for symbols worth trading: rules, tickers, filters and rank. Twice: "scan" is the first question
    that the exchange is asked, "scan again" is what the next hour's one costs."""
    with (
        tempfile.TemporaryDirectory(prefix="trade-pipeline-bench-") as folder,
        throwaway_exchange(Path(folder), symbols=SCANNED, history_days=1, weight_limit_per_minute=10**9) as exchange,
    ):
        for name in ("scan", "scan again"):
            venue = BinanceMarketData(exchange.url, MarketSettings(), weight_per_minute=10**9)
            with report.row(name, SCANNED, "symbols", aim_per_s=SCANNED / SCAN_S_AIM, served_by=exchange.process_id):
                _scan_once(venue)
            venue.close()


def _scan_once(venue: BinanceMarketData) -> None:
    active = [rule.symbol for rule in venue.markets().values() if rule.active]
    found = screen(
        venue.day_tickers(active),
        active,
        UniverseSettings(),
        scanned_at=venue.server_time(),
        symbols_max=SYMBOLS,
        listed_at={},
    )
    assert found.get_column("selected").sum() == min(SYMBOLS, SCANNED)


def _complete(answer: BarsAnswer, symbols: Sequence[str]) -> None:
    assert not answer.errors, answer.errors
    assert answer.frame.get_column("symbol").n_unique() == len(symbols)


def files_in(paths: Iterable[Path]) -> list[Path]:
    """The files named, and those below the folders named, in order."""
    found: list[Path] = []
    for path in paths:
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        found += [file for file in below if file.is_file() and file.suffix in KINDS]
    return found


def _recorded(files: Iterable[Path]) -> Iterable[RecordedBars]:
    for file in files:
        item = read_recorded(file, unnamed=UNNAMED)
        if isinstance(item, RecordedBars):
            yield item


def _copy(source: Path, target: Path) -> None:
    pl.read_parquet(source).write_parquet(target)


def _ingest(files: Sequence[Path], settings: QualitySettings, folder: Path) -> None:
    """What becomes of recordings on their way into the lake: read, conformed, judged, written."""
    for number, judged in enumerate(judged_files(files, settings, unnamed=UNNAMED)):
        judged.verdict.bars.write_parquet(folder / f"{number}.parquet")


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
