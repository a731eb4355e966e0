"""Options that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the stack. Default: $TRADE_PIPELINE_HOME, else ~/.trade-pipeline."),
]
SettingsOption = Annotated[Path | None, typer.Option("--settings", help="YAML file with settings.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ConfirmOption = Annotated[
    list[str] | None,
    typer.Option("--confirm", help="A risky setting that is meant, by its dotted name. Once for each."),
]


def finite(value: float) -> float:
    """For options that are numbers: NaN is neither below a minimum nor above a maximum, and would pass both."""
    if not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number of anything")
    return value
