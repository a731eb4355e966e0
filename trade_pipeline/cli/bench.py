"""Measure what this machine can do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trade_pipeline.cli.options import HomeOption, JsonOption, SettingsOption

app = typer.Typer(help="Measure what this machine can do.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def bench() -> None:
    """Each benchmark is a command of its own."""


@app.command("execution")
def execution(as_json: JsonOption = False) -> None:
    """Trades, reconciliation, planning, booking, the proof of the ledger. Exit code 1 when a floor is missed."""
    from trade_pipeline.commands.bench import run_execution

    raise typer.Exit(run_execution(as_json=as_json))


@app.command("data")
def data(
    paths: Annotated[list[Path], typer.Option("--data", help="File or folder of recorded bars. Once for each.")],
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reading and judging recorded bars beside plain polars; fetching 200 symbols. Exit code 1: a floor is missed."""
    from trade_pipeline.commands.bench import run_data

    raise typer.Exit(run_data(paths, settings, as_json=as_json))


@app.command("features")
def features(
    paths: Annotated[list[Path], typer.Option("--data", help="File or folder of recorded bars. Once for each.")],
    as_json: JsonOption = False,
) -> None:
    """All features on recorded 5m bars beside pandas, on one core and on all, with equal values."""
    from trade_pipeline.commands.bench import run_features

    raise typer.Exit(run_features(paths, as_json=as_json))


@app.command("backfill")
def backfill(
    days: Annotated[tuple[int, int], typer.Option("--days", help="Two numbers of days.")] = (2, 8),
    symbols: Annotated[int, typer.Option("--symbols", min=1, max=1000, help="How many symbols.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Days of made bars through Dagster, through the lake alone and in memory, at two sizes."""
    from trade_pipeline.commands.bench import run_backfill

    raise typer.Exit(run_backfill(days, symbols, as_json=as_json))


@app.command("memory")
def memory(
    symbols: Annotated[int, typer.Option("--symbols", min=1, max=1000, help="How many symbols.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Peak memory of a decision beyond imports, at the end of a day, when its window is longest."""
    from trade_pipeline.commands.bench import run_memory

    raise typer.Exit(run_memory(symbols, as_json=as_json))


@app.command("latency")
def latency(
    bars: Annotated[int, typer.Option("--bars", min=1, help="Minutes to watch.")] = 10,
    pairs: Annotated[
        int, typer.Option("--stock-pairs", min=0, help="Pairs of empty runs of stock Dagster; 0 leaves it out.")
    ] = 5,
    home: Annotated[
        Path | None, typer.Option("--home", help="Folder of a running stack. Default: a stack of its own.")
    ] = None,
    load: Annotated[
        bool, typer.Option("--load", help="As many bars again while a year is backfilled, audited and the UI is busy.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bar close to acknowledged order by stages, beside two empty runs of stock Dagster. A minute for each bar."""
    from trade_pipeline.commands.bench import run_latency

    raise typer.Exit(run_latency(bars=bars, pairs=pairs, home=home, load=load, as_json=as_json))


@app.command("exit")
def exit_(
    breaches: Annotated[int, typer.Option("--breaches", min=1, help="How many to measure.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """From the trade that breaches a stop to the acknowledged exit, where the guard alone protects."""
    from trade_pipeline.commands.bench import run_exit

    raise typer.Exit(run_exit(breaches=breaches, as_json=as_json))


@app.command("soak")
def soak(
    bars: Annotated[int, typer.Option("--bars", min=2, help="Bars to watch, a minute each.")] = 60,
    compressed: Annotated[
        bool, typer.Option("--compressed", help="No running stack: bars under a virtual clock, as fast as they go.")
    ] = False,
    symbols: Annotated[int, typer.Option("--symbols", min=1, max=1000, help="How many, with --compressed.")] = 20,
    record: Annotated[Path | None, typer.Option("--record", help="File for the samples of --compressed.")] = None,
    told_again: Annotated[bool, typer.Option("--told-again", help="Only tell what --record holds already.")] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Watch a running stack bar by bar: memory of each process, rows of each table, files, latency; and its growth."""
    from trade_pipeline.commands.bench import run_compressed_soak, run_soak

    if compressed or told_again:
        run_compressed_soak(bars, symbols, record, told_again=told_again, as_json=as_json)
    else:
        run_soak(home, bars, as_json=as_json)
