"""Commands on what is traded: stop it, let it go on, tell what would be sent and why something was."""

from __future__ import annotations

from typing import Annotated

import typer

from trade_pipeline.cli.options import HomeOption, JsonOption

app = typer.Typer()


@app.command()
def plan(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Required: planning never sends.")] = False,
    home: HomeOption = None,
) -> None:
    """Print what would be sent now, and why."""
    from trade_pipeline.commands.trading import show_plan

    show_plan(home, dry_run=dry_run)


@app.command()
def pause(
    reason: Annotated[str, typer.Option(help="Why; shown by `status`.")] = "paused by hand", home: HomeOption = None
) -> None:
    """Send nothing that increases a position, until `resume`. Stops and exits go on."""
    from trade_pipeline.commands.control import run_pause

    run_pause(home, reason)


@app.command()
def resume(home: HomeOption = None) -> None:
    """Allow orders that increase positions again."""
    from trade_pipeline.commands.control import run_resume

    run_resume(home)


@app.command()
def unlock(
    symbol: Annotated[str, typer.Argument(help='A symbol as BTC/USDT, or "*" for a halt of the whole account.')],
    strategy: Annotated[str, typer.Option(help='Whose lock; "*" is a halt of everybody.')] = "*",
    home: HomeOption = None,
) -> None:
    """Lift a halt or a lock that `status` shows, once its cause is understood."""
    from trade_pipeline.commands.trading import run_unlock

    run_unlock(home, symbol, strategy)


@app.command()
def flatten(home: HomeOption = None) -> None:
    """Pause, cancel our orders and sell our positions, even with Dagster, broker and database down."""
    from trade_pipeline.commands.trading import run_flatten

    run_flatten(home)


@app.command()
def conflicts(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """What ledger and exchange say differently: open now, and what became of the others."""
    from trade_pipeline.commands.conflicts import show_conflicts

    show_conflicts(home, as_json=as_json)


@app.command()
def explain(
    order_id: Annotated[
        str | None,
        typer.Argument(help="Client order id or the exchange's order id. Without it the newest orders are listed."),
    ] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Walk from an order back to the bars that caused it, and on to its fills. Without an id: the newest orders."""
    from trade_pipeline.commands.orders import show_orders
    from trade_pipeline.commands.show import show_explanation

    if order_id is None:
        show_orders(home, as_json=as_json)
    else:
        show_explanation(home, order_id, as_json=as_json)
