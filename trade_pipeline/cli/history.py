"""Commands on the past."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trade_pipeline.cli.options import HomeOption, JsonOption
from trade_pipeline.errors import SettingsError

app = typer.Typer()


@app.command()
def ingest(
    files: Annotated[list[Path], typer.Argument(help="Recorded files: feather, parquet, csv or json, also gzipped.")],
    symbol: Annotated[str | None, typer.Option(help="BASE/QUOTE, for a file that names none.")] = None,
    layout: Annotated[
        str | None, typer.Option(help="Of a file without names, as ohlcv or kraken; a wrong one names all.")
    ] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Judge recorded files and keep their bars in the lake: what is new is added, what changed is a revision."""
    from trade_pipeline.commands.ingest import run_ingest

    run_ingest(home, files, symbol=symbol, layout=layout, as_json=as_json)


@app.command()
def backfill(
    first: Annotated[str | None, typer.Option("--from", help="First day, YYYY-MM-DD.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day, YYYY-MM-DD.")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Only days with missing bars, and those that stand on them.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --repair: say what is missing, do nothing.")] = False,
    home: HomeOption = None,
) -> None:
    """Recompute history: the days from --from to --to, or what --repair finds in them or in the whole lake."""
    from trade_pipeline.commands.history import run_backfill, run_repair

    if repair:
        run_repair(home, first, last, dry_run=dry_run)
    elif first is None or last is None:
        raise SettingsError("no days are named", thing="backfill", repair="Name --from and --to, or --repair.")
    else:
        run_backfill(home, first, last)
