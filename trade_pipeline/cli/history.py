"""Commands on the past."""

from __future__ import annotations

from typing import Annotated

import typer

from trade_pipeline.cli.options import HomeOption

app = typer.Typer()


@app.command()
def backfill(
    first: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD.")],
    home: HomeOption = None,
) -> None:
    """Recompute history in one run."""
    from trade_pipeline.commands.history import run_backfill

    run_backfill(home, first, last)
