"""`trade-pipeline bench ...`: how a benchmark is run and what is printed of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from trade_pipeline.bench.execution import measure_execution
from trade_pipeline.bench.measure import Report
from trade_pipeline.commands.output import hint, say
from trade_pipeline.runtime.throwaway_postgres import throwaway_postgres
from trade_pipeline.settings.load import load_settings


def run_execution(*, as_json: bool) -> int:
    """On a PostgreSQL of its own. Exit code 1: a floor is missed."""

    def measure(tell: Callable[[str], None]) -> Report:
        with throwaway_postgres(durable=True) as url:
            return measure_execution(url, tell)

    return run_bench(measure, as_json=as_json)


def run_data(paths: Sequence[Path], settings_file: Path | None, *, as_json: bool) -> int:
    """Over the recorded bars below `paths`. Exit code 1: a floor is missed. Raises DataError without bars."""
    from trade_pipeline.bench.data import measure_data

    settings = load_settings(settings_file, environ=os.environ).quality
    return run_bench(lambda tell: measure_data(paths, settings, tell), as_json=as_json)


def run_bench(measure: Callable[[Callable[[str], None]], Report], *, as_json: bool) -> int:
    """Each row is told as it comes; with `as_json` to stderr, and the last line of stdout is one object."""
    report = measure(hint if as_json else say)
    if as_json:
        say(report.as_json())
    elif not report.passed:
        say("a floor is missed: " + ", ".join(row.name for row in report.rows if not row.above_floor))
    return 0 if report.passed else 1
