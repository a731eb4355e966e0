"""`quality report`: what is wrong with recorded files, or with what the lake holds, counted by rule."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from trade_pipeline.commands.context import home_named
from trade_pipeline.commands.output import say
from trade_pipeline.errors import DataError
from trade_pipeline.quality.judge import Judgement, judge
from trade_pipeline.quality.recordings import JudgedRecording, judged_files
from trade_pipeline.quality.rules import Scope
from trade_pipeline.recorded.reading import UNNAMED
from trade_pipeline.recorded.values import RecordedBars, RecordedTrades
from trade_pipeline.settings.load import load_settings, settings_in_force
from trade_pipeline.settings.root import Settings

PIPED_WIDTH = 160


@dataclass(frozen=True, slots=True)
class Report:
    """One file or one symbol of the lake. `accepted` + `repaired` + `quarantined` = `rows`.

    `rows` are those of the file: of a file of trades the trades, and `bars` says what the bars made of them are.
    `filled` are flagged bars in empty places, `missing` bars that were not there. `held`: why a decision at the end of
    the data would not trade the symbol. `notes` counts rows of the file that are no bars, as `empty_rows`.
    """

    name: str
    symbol: str
    source: str
    bar_length_s: int
    rows: int
    accepted: int
    repaired: int
    quarantined: int
    filled: int
    missing: int
    score: float
    rules: Mapping[str, int]
    repaired_by_rule: Mapping[str, int] = field(default_factory=dict)
    quarantined_by_rule: Mapping[str, int] = field(default_factory=dict)
    held: str | None = None
    bars: int | None = None
    notes: Mapping[str, int] = field(default_factory=dict)


def report_files(
    files: Sequence[Path], settings_file: Path | None, *, symbol: str | None, layout: str | None, as_json: bool
) -> None:
    """Judges each file by the settings. Raises ReplayFileError for one that cannot be read."""
    settings = load_settings(settings_file, environ=os.environ).quality
    judged = judged_files(files, settings, symbol=symbol, layout=layout, unnamed=UNNAMED)
    _print([of_recording(item) for item in judged], as_json=as_json)


def report_lake(home: Path | None, days: int, *, as_json: bool) -> None:
    """Judges the newest `days` days of raw bars in the lake of this home. Raises DataError where it is empty."""
    from trade_pipeline.market_data.lake import lake_of

    found = home_named(home)
    settings = settings_in_force(found)
    lake = lake_of(settings.storage, found)
    stored = lake.days("raw_bars")[-days:]
    raw = lake.read("raw_bars", stored)
    if raw.is_empty():
        raise DataError("the lake holds no bars yet", thing="raw_bars", repair="Start the stack, or name a --file.")
    _print(of_bars(raw, settings), as_json=as_json)


def of_recording(judged: JudgedRecording) -> Report:
    """The report of one recorded file; of a file of trades with their number, and what is wrong with them."""
    report = report_of(judged.bars.path.name, judged.bars, judged.verdict)
    return report if judged.trades is None else _with_trades(report, judged.trades)


def of_bars(raw: pl.DataFrame, settings: Settings) -> list[Report]:
    """A report for each symbol of a BARS frame of the lake, at its newest close, by the limits of decisions."""
    reports = []
    as_of = raw.get_column("close_time").max()
    assert isinstance(as_of, datetime), "the caller looked for rows"
    length_s = settings.market.bar_length_s
    for (symbol,), bars in raw.group_by("symbol", maintain_order=True):
        first = bars.get_column("open_time").min()
        assert isinstance(first, datetime), "a group has rows"
        scope = Scope(as_of, first, (str(symbol),), settings.quality_in_force, length_s)
        recorded = RecordedBars(Path(), str(symbol), str(bars.item(0, "source")), "lake", length_s, as_of, bars)
        reports.append(report_of(str(symbol), recorded, judge(bars, scope)))
    return reports


def _with_trades(judged: Report, trades: RecordedTrades) -> Report:
    """Counts trades; the bars that they make are judged as any others."""
    counts = {"repeated_trade": trades.repeated, "impossible_trade": trades.refused}
    lost = {name: count for name, count in counts.items() if count}
    values = asdict(judged) | {
        "rows": trades.rows,
        "accepted": trades.trades.height,
        "repaired": 0,
        "quarantined": trades.repeated + trades.refused,
        "rules": {**judged.rules, **lost},
        "quarantined_by_rule": {**judged.quarantined_by_rule, **lost},
        "bars": judged.rows,
    }
    return Report(**values)


def report_of(name: str, recorded: RecordedBars, judged: Judgement) -> Report:
    """Counts of one verdict."""
    weights = judged.scores.select((pl.col("score") * pl.col("expected")).sum() / pl.col("expected").sum()).item()
    repairs = judged.bars.filter(pl.col("repair").is_not_null()).get_column("repair")
    kinds = repairs.str.extract(r"^(fullest|put in its place|the source has no bar|in place of)").rename("kind")
    named = {"fullest": "duplicate", "put in its place": "out_of_order", "the source has no bar": "gap"}
    repaired = {
        named.get(str(kind), "filled for quarantined"): int(count)
        for kind, count in kinds.value_counts(sort=True).iter_rows()
    }
    lost = judged.quarantined.get_column("rules").value_counts(sort=True)
    return Report(
        name=name,
        symbol=recorded.symbol,
        source=recorded.source,
        bar_length_s=recorded.bar_length_s,
        rows=judged.rows,
        accepted=judged.accepted,
        repaired=judged.repaired,
        quarantined=judged.quarantined.height,
        filled=judged.filled,
        missing=judged.missing,
        score=round(float(weights or 0.0), 6),
        rules=judged.count_by_rule(),
        repaired_by_rule=repaired,
        quarantined_by_rule={str(rules): int(count) for rules, count in lost.iter_rows()},
        held=judged.held.get(recorded.symbol),
        notes=dict(recorded.notes),
    )


def _print(reports: Sequence[Report], *, as_json: bool) -> None:
    """A table for people; as JSON one object in one line, with the files inside where there are several."""
    if as_json:
        say(json.dumps(as_object(reports)))
        return
    from rich.console import Console
    from rich.table import Table

    names = ("rows", "accepted", "repaired", "quarantined", "filled", "missing")
    table = Table("name", *names, "score", "rules")
    for report in reports:
        numbers = (str(getattr(report, name)) for name in names)
        rules = "\n".join(f"{name} {count}" for name, count in report.rules.items())
        table.add_row(report.name, *numbers, f"{report.score:.4f}", rules)
    Console(width=None if sys.stdout.isatty() else PIPED_WIDTH).print(table)


def as_object(reports: Sequence[Report]) -> dict[str, object]:
    """One report as it is; several added up, with each under `files`."""
    if len(reports) == 1:
        return asdict(reports[0])
    names = ("rows", "accepted", "repaired", "quarantined", "filled", "missing")
    totals: dict[str, object] = {name: sum(getattr(report, name) for report in reports) for name in names}
    rules: dict[str, int] = {}
    for report in reports:
        for name, count in report.rules.items():
            rules[name] = rules.get(name, 0) + count
    return {**totals, "rules": rules, "files": [asdict(report) for report in reports]}
