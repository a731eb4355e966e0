"""`quality`: what is wrong with the bars."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trade_pipeline.cli.options import HomeOption, JsonOption, SettingsOption

app = typer.Typer(help="Judge bars by the quality rules.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def quality() -> None:
    """Judge bars by the quality rules."""


@app.command()
def report(
    file: Annotated[
        list[Path] | None, typer.Option("--file", help="A recorded file; once for each. Default: the home's lake.")
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="BASE/QUOTE, for a file that names none.")] = None,
    layout: Annotated[
        str | None, typer.Option(help="Of a file without names, as ohlcv or kraken; a wrong one names all.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Newest days of the lake that are judged.")] = 7,
    as_json: JsonOption = False,
    home: HomeOption = None,
    settings: SettingsOption = None,
) -> None:
    """Count the bars that are accepted, repaired and quarantined, and the rules that they break."""
    from trade_pipeline.commands.quality import report_files, report_lake

    if file:
        report_files(file, settings, symbol=symbol, layout=layout, as_json=as_json)
    else:
        report_lake(home, days, as_json=as_json)


@app.command()
def revisions(
    days: Annotated[int, typer.Option(min=1, help="Newest days of the lake that are looked at.")] = 7,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Bars that the exchange changed after they were known, and how many decisions stood on the old values."""
    from trade_pipeline.commands.revisions import show_revisions

    show_revisions(home, days, as_json=as_json)
