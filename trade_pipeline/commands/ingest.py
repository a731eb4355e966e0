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
from trade_pipeline.commands.quality import report_of
from trade_pipeline.market_data.lake import Lake, lake_of
from trade_pipeline.quality.recordings import JudgedRecording, judged_files
from trade_pipeline.settings.load import settings_in_force


def run_ingest(
    home: Path | None, files: Sequence[Path], *, symbol: str | None, layout: str | None, as_json: bool
) -> None:
    """Each file by itself. Raises ReplayFileError at the first that cannot be read; those before it are kept."""
    found = home_named(home)
    settings = settings_in_force(found)
    lake = lake_of(settings.storage, found)
    for judged in judged_files(files, settings.quality, symbol=symbol, layout=layout):
        told = {"file": str(judged.bars.path), **keep(lake, judged, datetime.now(UTC))}
        say(json.dumps(told, default=str) if as_json else _sentence(told))


def keep(lake: Lake, judged: JudgedRecording, known_at: datetime) -> dict[str, object]:
    """Store; the report with the rows added and revised. The same file again adds nothing."""
    recorded, verdict = judged.bars, judged.verdict
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
