"""Validate or show settings, and the environment that follows from them."""

from __future__ import annotations

import typer

from trade_pipeline.cli.options import HomeOption, SettingsOption

app = typer.Typer(help="Validate or show settings.", no_args_is_help=True, rich_markup_mode=None)


@app.command("check")
def check(settings: SettingsOption = None) -> None:
    """Say whether the settings are valid."""
    from trade_pipeline.commands.configuration import check

    check(settings)


@app.command("show")
def show(settings: SettingsOption = None, home: HomeOption = None) -> None:
    """Print the settings in force: of a file, or of the stack in the home."""
    from trade_pipeline.commands.configuration import show

    show(settings, home)
