"""The command `trade-pipeline`: arguments and help only. Bodies are in `commands`, imported when they run.

Nothing heavy may be imported here: `--help` must answer at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from trade_pipeline.errors import TradePipelineError

app = typer.Typer(
    name="trade-pipeline",
    help="One auditable pipeline from market bar to filled order.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
config = typer.Typer(help="Validate or show settings.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config, name="config")
breaker = typer.Typer(help="Show, open or reset the circuit breakers.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(breaker, name="breaker")

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
PolicyName = Literal["keep", "cancel_entries", "flatten"]


@app.command()
def up(
    replay: Annotated[Path | None, typer.Option(help="Folder or file of recorded bars to play, one a minute.")] = None,
    mode: Annotated[str | None, typer.Option(help="sim, or live after a preflight; paper is not offered yet.")] = None,
    home: HomeOption = None,
    port: Annotated[int | None, typer.Option(help="Port of the UI; 0 takes any free one.")] = None,
    settings: SettingsOption = None,
    confirm: ConfirmOption = None,
) -> None:
    """Start everything and show a live status. Ctrl-C stops it all."""
    from trade_pipeline.commands.up import run_up

    overrides = {
        "mode": mode,
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
def ui(
    read_only: Annotated[bool, typer.Option("--read-only", help="The twin that changes nothing.")] = False,
    home: HomeOption = None,
) -> None:
    """Print the address to open in a browser. Outside sim mode it holds a token: keep it to yourself."""
    from trade_pipeline.commands.ui import print_address

    print_address(home, read_only=read_only)


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
def explain(order_id: str, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Walk from an order back to the bars that caused it, and on to its fills."""
    from trade_pipeline.commands.show import show_explanation

    show_explanation(home, order_id, as_json=as_json)


@app.command()
def backfill(
    first: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD.")],
    home: HomeOption = None,
) -> None:
    """Recompute history in one run."""
    from trade_pipeline.commands.history import run_backfill

    run_backfill(home, first, last)


SymbolOption = Annotated[
    str | None, typer.Option("--symbol", help="As BTC/USDT. Without it the breaker of the whole account.")
]
WhyOption = Annotated[str, typer.Option("--why", help="Kept with the change.")]


@breaker.command("show")
def breaker_show(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Which breakers are open or half open, since when and why."""
    from trade_pipeline.commands.breaker import show_breakers

    show_breakers(home, as_json=as_json)


@breaker.command("open")
def breaker_open(why: WhyOption, symbol: SymbolOption = None, home: HomeOption = None) -> None:
    """Stop everything that increases a position, until a reset."""
    from trade_pipeline.commands.breaker import run_open

    run_open(home, symbol, why)


@breaker.command("reset")
def breaker_reset(why: WhyOption, symbol: SymbolOption = None, home: HomeOption = None) -> None:
    """Allow increases again at once; what opened the breaker is forgiven."""
    from trade_pipeline.commands.breaker import run_reset

    run_reset(home, symbol, why)


@config.command("check")
def config_check(settings: SettingsOption = None) -> None:
    """Say whether the settings are valid."""
    from trade_pipeline.commands.configuration import check

    check(settings)


@config.command("show")
def config_show(settings: SettingsOption = None, home: HomeOption = None) -> None:
    """Print the settings in force: of a file, or of the stack in the home."""
    from trade_pipeline.commands.configuration import show

    show(settings, home)


@app.command()
def env(home: HomeOption = None) -> None:
    """Print the environment in which Dagster's own commands work on the same instance. It holds secrets."""
    from trade_pipeline.commands.configuration import print_environment

    print_environment(home)


@app.command()
def chaos(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long things go wrong.")] = 2.0,
    seed: Annotated[int | None, typer.Option(help="What goes wrong, and when. Default: any.")] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Kill, freeze and starve a running simulated stack, then prove that nothing was lost. Exit code 1 otherwise."""
    from trade_pipeline.commands.chaos import run_chaos

    run_chaos(home, minutes, seed, as_json=as_json)


@app.command("verify-ledger")
def verify_ledger(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Prove the ledger: its chain of hashes, its projections, its invariants; a changed row is named."""
    from trade_pipeline.commands.verify_ledger import run_verify

    raise typer.Exit(run_verify(home, as_json=as_json))


@app.command()
def faults(
    seeds: Annotated[int, typer.Option(min=1, help="How many simulated disasters.")] = 200,
    first: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    seed: Annotated[int | None, typer.Option(min=0, help="Play this one alone and print what happened.")] = None,
    ledger_url: Annotated[
        str | None, typer.Option(help="A migrated, empty ledger. Default: a PostgreSQL of its own, thrown away.")
    ] = None,
    exhaust: Annotated[
        int, typer.Option(min=0, help="Instead: every single fault and death in so many scenarios.")
    ] = 0,
    pairs: Annotated[int, typer.Option(min=0, help="With --exhaust: so many pairs in each scenario too.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Play disasters through the real trading code in virtual time and judge what became of every order."""
    from trade_pipeline.commands.faults import run_exhaustion, run_faults

    if exhaust:
        raise typer.Exit(run_exhaustion(exhaust, first, pairs, ledger_url, as_json=as_json))
    raise typer.Exit(run_faults(seeds, first, seed, ledger_url, as_json=as_json))


@app.command()
def demo(
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the first fill.")] = 300.0,
    replay: Annotated[Path | None, typer.Option(help="Recorded bars to play.")] = None,
) -> None:
    """Start a stack in a temporary home, wait for the first fill, print its story, stop."""
    from trade_pipeline.commands.demo import run_demo

    raise typer.Exit(run_demo(timeout, replay))


def main(arguments: list[str] | None = None) -> Any:
    """Exit code 0: done; 2: something has to be changed first, said in one sentence; 130: interrupted."""
    try:
        return app(args=arguments)
    except TradePipelineError as error:
        sys.stderr.write(f"trade-pipeline: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader has had enough, as in `status | head`.
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
