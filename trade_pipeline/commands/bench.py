"""`trade-pipeline bench ...`: how a benchmark is run and what is printed of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from trade_pipeline.bench.execution import measure_execution
from trade_pipeline.bench.latency import Bars, latency_report, watch_bars
from trade_pipeline.bench.measure import Report
from trade_pipeline.bench.soak import Soak
from trade_pipeline.bench.stages import Bar
from trade_pipeline.commands.context import open_context
from trade_pipeline.commands.output import hint, say
from trade_pipeline.ledger.database import Database
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.runtime.throwaway_postgres import throwaway_postgres
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import load_settings, secrets_from, settings_in_force


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


def run_features(paths: Sequence[Path], *, as_json: bool) -> int:
    """Over the recorded 5m bars below `paths`. Raises DataError without bars, and where values differ."""
    from trade_pipeline.bench.features import measure_features

    return run_bench(lambda tell: measure_features(paths, tell), as_json=as_json)


def run_latency(*, bars: int, pairs: int, home: Path | None, load: bool, as_json: bool) -> int:
    """On a stack of its own, or on the one that runs in `home`. Exit code 1: no bar had orders.

    `load`: as many bars again, with a backfill of a year, audits and UI runs beside. Raises SettingsError,
    ConfigurationError.
    """
    from trade_pipeline.bench.load import YEAR_DAYS
    from trade_pipeline.bench.own_stack import own_stack
    from trade_pipeline.bench.stock import measure_stock

    traded: list[Bar] = []

    def measure(tell: Callable[[str], None]) -> Report:
        own = own_stack(history_days=YEAR_DAYS if load else None)
        with own if home is None else nullcontext(Home.at(home)) as found:
            seen = _watch(found, bars, tell)
            laden, described = _watch_laden(found, bars, tell) if load else (None, None)
        traded.extend(seen.traded)
        # One after the other: each has the machine for itself, as far as we are concerned.
        return latency_report(seen, measure_stock(pairs, tell) if pairs else [], tell, laden, described)

    return run_bench(measure, as_json=as_json) or int(not traded)


def run_exit(*, breaches: int, as_json: bool) -> int:
    """Guard, exchange and PostgreSQL of its own. Raises ConfigurationError."""
    from trade_pipeline.bench.exit import measure_exits

    def measure(tell: Callable[[str], None]) -> Report:
        with throwaway_postgres(durable=True) as url:
            return measure_exits(url, breaches, tell)

    return run_bench(measure, as_json=as_json)


def _watch_laden(home: Home, bars: int, tell: Callable[[str], None]) -> tuple[Bars, dict[str, object]]:
    """Bars under load, and what the load was."""
    from trade_pipeline.bench.load import BEFORE_CLOSE_S, Load, days_of_a_year
    from trade_pipeline.commands.history import asker, begin_backfill

    ask, _ = asker(home, secrets_from(os.environ, home).ui_token)
    days = days_of_a_year(settings_in_force(home).exchange.history_days, datetime.now(UTC))
    load = Load(ask, lambda wanted: begin_backfill(ask, wanted), days, tell)
    load.begin()
    seen = _watch(home, bars, tell, (BEFORE_CLOSE_S, load.burst))
    return seen, load.figures()


def _watch(
    home: Home, bars: int, tell: Callable[[str], None], before_close: tuple[float, Callable[[], None]] | None = None
) -> Bars:
    url = secrets_from(os.environ, home).ledger_url
    account = settings_in_force(home).account
    database = Database(url)
    try:
        with closing(Ledger(url)) as ledger:
            return watch_bars(ledger, database, account, bars, tell, before_close=before_close)
    finally:
        database.close()


def run_backfill(days: Sequence[int], symbols: int, *, as_json: bool) -> int:
    """On lakes of made bars, in processes of their own. Raises DataError where the ways differ in what they compute."""
    from trade_pipeline.bench.backfill import measure_backfill

    return run_bench(lambda tell: measure_backfill(days, symbols, tell), as_json=as_json)


def run_soak(home: Path | None, bars: int, *, as_json: bool) -> None:
    """Of the running stack of a home. Raises SettingsError, LedgerUnavailable, DataError where bars do not come."""
    from trade_pipeline.bench.soak import measure_soak

    context = open_context(home)
    found = measure_soak(
        context.home, context.secrets.ledger_url, context.settings.account, bars, hint if as_json else say
    )
    _tell_soak(found, as_json=as_json)


def run_compressed_soak(bars: int, symbols: int, record: Path | None, *, told_again: bool, as_json: bool) -> None:
    """A run of its own, or what a record tells of one. Raises DataError where there are no samples."""
    from trade_pipeline.bench.compressed_soak import measure_compressed, recorded_soak

    if told_again and record is not None:
        found = recorded_soak(record)
    else:
        found = measure_compressed(bars, symbols, record, hint if as_json else say)
    _tell_soak(found, as_json=as_json)


def _tell_soak(found: Soak, *, as_json: bool) -> None:
    for line in [] if as_json else found.as_text():
        say(line)
    if as_json:
        say(found.as_json())


def run_memory(symbols: int, *, as_json: bool) -> int:
    """Peak of a decision, on a lake of made bars."""
    from trade_pipeline.bench.memory import measure_memory

    return run_bench(lambda tell: measure_memory(symbols, tell), as_json=as_json)


def run_bench(measure: Callable[[Callable[[str], None]], Report], *, as_json: bool) -> int:
    """Each row is told as it comes; with `as_json` to stderr, and the last line of stdout is one object."""
    report = measure(hint if as_json else say)
    if as_json:
        say(report.as_json())
    elif not report.passed:
        say("a floor is missed: " + ", ".join(row.name for row in report.rows if not row.above_floor))
    return 0 if report.passed else 1
