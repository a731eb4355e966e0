"""Show, open or reset the circuit breakers."""

from __future__ import annotations

from typing import Annotated

import typer

from trade_pipeline.cli.options import HomeOption, JsonOption

app = typer.Typer(help="Show, open or reset the circuit breakers.", no_args_is_help=True, rich_markup_mode=None)

SymbolOption = Annotated[
    str | None, typer.Option("--symbol", help="As BTC/USDT. Without it the breaker of the whole account.")
]
WhyOption = Annotated[str, typer.Option("--why", help="Kept with the change.")]


@app.command("show")
def show(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Which breakers are open or half open, since when and why; and how many errors were recovered from lately."""
    from trade_pipeline.commands.breaker import show_breakers

    show_breakers(home, as_json=as_json)


@app.command("open")
def open(why: WhyOption, symbol: SymbolOption = None, home: HomeOption = None) -> None:
    """Stop everything that increases a position, until a reset."""
    from trade_pipeline.commands.breaker import run_open

    run_open(home, symbol, why)


@app.command("reset")
def reset(why: WhyOption, symbol: SymbolOption = None, home: HomeOption = None) -> None:
    """Allow increases again at once; what opened the breaker is forgiven."""
    from trade_pipeline.commands.breaker import run_reset

    run_reset(home, symbol, why)
