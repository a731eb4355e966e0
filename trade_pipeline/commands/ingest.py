"""`ingest`: recorded files into the lake, judged, with source, the moment we learned them, and revisions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from trade_pipeline.commands.context import home_named
from trade_pipeline.commands.output import say
from trade_pipeline.commands.quality import report_of, scope_of
from trade_pipeline.market_data.lake import Lake, lake_of
from trade_pipeline.quality.judge import judge
from trade_pipeline.recorded.reading import bars_from_trades, read_recorded
from trade_pipeline.recorded.values import RecordedBars, RecordedTrades
from trade_pipeline.settings.load import settings_in_force
from trade_pipeline.settings.quality import QualitySettings


def run_ingest(
    home: Path | None, files: Sequence[Path], *, symbol: str | None, layout: str | None, as_json: bool
) -> None:
    """Each file by itself. Raises ReplayFileError at the first that cannot be read; those before it are kept."""
    found = home_named(home)
    settings = settings_in_force(found)
    lake = lake_of(settings.storage, found)
    for file in files:
        recorded = read_recorded(file, symbol=symbol, layout=layout)
        bars = bars_from_trades(recorded) if isinstance(recorded, RecordedTrades) else recorded
        told = {"file": str(file), **keep(lake, bars, settings.quality, datetime.now(UTC))}
        say(json.dumps(told, default=str) if as_json else _sentence(told))


def keep(lake: Lake, recorded: RecordedBars, settings: QualitySettings, known_at: datetime) -> dict[str, object]:
    """Judge and store; the report with the rows added and revised. The same file again adds nothing."""
    verdict = judge(recorded.bars, scope_of(recorded, settings))
    length = pl.lit(recorded.bar_length_s, pl.Int32).alias("length_s")
    written = lake.append("recorded_bars", verdict.bars.with_columns(length), known_at=known_at)
    if not verdict.quarantined.is_empty():
        lake.append("recorded_quarantine", verdict.quarantined.with_columns(length), known_at=known_at)
    report = asdict(report_of(recorded.path.name, recorded, verdict))
    return {**report, "rows_added": written.rows_added, "rows_revised": written.rows_revised}


def _sentence(told: dict[str, object]) -> str:
    counts = ", ".join(f"{told[name]} {name}" for name in ("accepted", "repaired", "quarantined", "filled"))
    kept = f"{told['rows_added']} new, {told['rows_revised']} changed"
    return f"{told['file']}: {told['symbol']} from {told['source']}, {counts}; in the lake {kept}"
