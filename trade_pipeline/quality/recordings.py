"""Recorded files, read and judged: in their order, the next ones while somebody keeps or counts the one before."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trade_pipeline.quality.judge import Judgement, judge
from trade_pipeline.quality.rules import Scope
from trade_pipeline.recorded.reading import bars_from_trades, read_recorded
from trade_pipeline.recorded.values import RecordedBars, RecordedTrades
from trade_pipeline.settings.quality import QualitySettings

AT_ONCE = 2
"""Files that are read and judged at the same time; each needs memory for all of its bars."""


@dataclass(frozen=True, slots=True)
class JudgedRecording:
    """`bars` as the file has them, or as its `trades` make them, and the verdict on them."""

    bars: RecordedBars
    trades: RecordedTrades | None
    verdict: Judgement


def judged_file(
    path: Path,
    settings: QualitySettings,
    *,
    symbol: str | None = None,
    layout: str | None = None,
    unnamed: str | None = None,
) -> JudgedRecording:
    """One file; for the arguments and what is raised see `read_recorded`."""
    recorded = read_recorded(path, symbol=symbol, layout=layout, unnamed=unnamed)
    trades, bars = (recorded, bars_from_trades(recorded)) if isinstance(recorded, RecordedTrades) else (None, recorded)
    return JudgedRecording(bars, trades, judge(bars.bars, scope_of(bars, settings)))


def judged_files(
    paths: Sequence[Path],
    settings: QualitySettings,
    *,
    symbol: str | None = None,
    layout: str | None = None,
    unnamed: str | None = None,
) -> Generator[JudgedRecording]:
    """Every file in the order given. Raises ReplayFileError when the turn of one comes that cannot be read."""
    coming: deque[Future[JudgedRecording]] = deque()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="recordings") as pool:
        try:
            for path in paths:
                if len(coming) == AT_ONCE:
                    yield coming.popleft().result()
                coming.append(pool.submit(judged_file, path, settings, symbol=symbol, layout=layout, unnamed=unnamed))
            while coming:
                yield coming.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def scope_of(recorded: RecordedBars, settings: QualitySettings) -> Scope:
    """A file is held against its own span, at the moment of its last closed bar."""
    first = recorded.bars.get_column("open_time").min()
    start = first if isinstance(first, datetime) else datetime.fromtimestamp(0, UTC)
    return Scope(
        recorded.as_of,
        start,
        (recorded.symbol,),
        settings,
        recorded.bar_length_s,
        sessions=recorded.sessions,
        grid_offset_s=recorded.grid_offset_s,
    )
