"""Commands that start, stop and look at a stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from trade_pipeline.cli.options import ConfirmOption, HomeOption, JsonOption, SettingsOption, finite

app = typer.Typer()

PolicyName = Literal["keep", "cancel_entries", "flatten"]


@app.command()
def up(
    replay: Annotated[Path | None, typer.Option(help="Folder or file of recorded bars to play, one a minute.")] = None,
    mode: Annotated[str | None, typer.Option(help="sim, paper, or live after a preflight.")] = None,
    exchange: Annotated[
        str | None, typer.Option(help="Exchange of paper or live, by ccxt's name. Default: the setting venue.name.")
    ] = None,
    home: HomeOption = None,
    port: Annotated[int | None, typer.Option(help="Port of the UI; 0 takes any free one.")] = None,
    settings: SettingsOption = None,
    confirm: ConfirmOption = None,
) -> None:
    """Start everything and show a live status. Ctrl-C stops it all."""
    from trade_pipeline.commands.up import run_up

    overrides = {
        "mode": mode,
        "venue.name": exchange,
        "home": str(home) if home else None,
        "runtime.ui_port": port,
        "exchange.replay": str(replay) if replay else None,
    }
    run_up(settings_file=settings, overrides=dict(overrides), confirmed=confirm or ())


@app.command()
def preflight(
    as_json: JsonOption = False, home: HomeOption = None, settings: SettingsOption = None, confirm: ConfirmOption = None
) -> None:
    """Check what live trading asks for, without starting anything. Exit code 2 when a check failed."""
    from trade_pipeline.commands.preflight import run_preflight

    run_preflight(settings, home, confirm or (), as_json=as_json)


@app.command()
def down(
    policy: Annotated[
        PolicyName | None, typer.Option(help="What to do with what is open. Default: the setting.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Stop a stack from another terminal."""
    from trade_pipeline.commands.control import run_down

    run_down(home, policy)


@app.command()
def status(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Equity, positions with stops, open orders, the last decision and why nothing was traded, lost ticks."""
    from trade_pipeline.commands.show import show_status

    show_status(home, as_json=as_json)


@app.command()
def metrics(home: HomeOption = None) -> None:
    """Print what a scraper reads at /metrics of the UI, in Prometheus' text format."""
    from trade_pipeline.commands.metrics import print_metrics

    print_metrics(home)


@app.command()
def ui(
    read_only: Annotated[bool, typer.Option("--read-only", help="The twin that changes nothing.")] = False,
    home: HomeOption = None,
) -> None:
    """Print the address to open in a browser. Outside sim mode it holds a token: keep it to yourself."""
    from trade_pipeline.commands.ui import print_address

    print_address(home, read_only=read_only)


@app.command()
def demo(
    timeout: Annotated[
        float, typer.Option(min=1, max=86_400, callback=finite, help="Seconds to wait for the first fill.")
    ] = 300.0,
    replay: Annotated[Path | None, typer.Option(help="Recorded bars to play.")] = None,
) -> None:
    """Start a stack in a temporary home, wait for the first fill, print its story, stop."""
    from trade_pipeline.commands.demo import run_demo

    raise typer.Exit(run_demo(timeout, replay))


@app.command()
def env(home: HomeOption = None) -> None:
    """Print the environment in which Dagster's own commands work on the same instance. It holds secrets."""
    from trade_pipeline.commands.configuration import print_environment

    print_environment(home)
