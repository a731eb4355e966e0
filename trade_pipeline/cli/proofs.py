"""Commands that prove the product: its ledger, and what disasters do to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trade_pipeline.cli.options import HomeOption, JsonOption, finite

app = typer.Typer()


@app.command("verify-ledger")
def verify_ledger(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Prove the ledger: its chain of hashes, its projections, its invariants; a changed row is named."""
    from trade_pipeline.commands.verify_ledger import run_verify

    raise typer.Exit(run_verify(home, as_json=as_json))


_NOT_WITH = {
    "seed": ("exhaust", "seeds", "first", "jobs", "record", "pairs"),
    "exhaust": ("seeds", "jobs", "record"),
    "jobs": ("ledger_url",),
}
"""Option of `faults` -> those that mean nothing beside it, or something else."""


def _refuse_conflicts(context: typer.Context) -> None:
    source = context.get_parameter_source
    given = {name for name in context.params if getattr(source(name), "name", "") == "COMMANDLINE"}
    if context.params["jobs"] == 1:
        given.discard("jobs")  # One process is what there is anyway.
    for name, others in _NOT_WITH.items():
        wrong = ["--" + other.replace("_", "-") for other in others if other in given]
        if name in given and wrong:
            raise typer.BadParameter(f"not together with {', '.join(wrong)}", param_hint=f"--{name}")
    if "pairs" in given and "exhaust" not in given:
        raise typer.BadParameter("only together with --exhaust", param_hint="--pairs")


@app.command()
def faults(
    context: typer.Context,
    seeds: Annotated[int, typer.Option(min=1, help="How many simulated disasters.")] = 200,
    first: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    seed: Annotated[int | None, typer.Option(min=0, help="Play this one alone and print what happened.")] = None,
    ledger_url: Annotated[
        str | None, typer.Option(help="A migrated, empty ledger. Default: a PostgreSQL of its own, thrown away.")
    ] = None,
    exhaust: Annotated[
        int | None, typer.Option(min=1, help="Instead: every single fault and death in so many scenarios.")
    ] = None,
    pairs: Annotated[int, typer.Option(min=0, help="With --exhaust: so many pairs in each scenario too.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that play, each with a PostgreSQL of its own.")] = 1,
    record: Annotated[
        Path | None, typer.Option(help="Write each seed down here; a campaign that was cut goes on from it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Play disasters through the real trading code in virtual time and judge what became of every order."""
    from trade_pipeline.commands.faults import run_exhaustion, run_faults, run_one_seed

    _refuse_conflicts(context)
    if exhaust is not None:
        raise typer.Exit(run_exhaustion(exhaust, first, pairs, ledger_url, as_json=as_json))
    if seed is not None:
        raise typer.Exit(run_one_seed(seed, ledger_url, as_json=as_json))
    raise typer.Exit(run_faults(range(first, first + seeds), ledger_url, jobs=jobs, record=record, as_json=as_json))


@app.command()
def chaos(
    minutes: Annotated[float, typer.Option(min=0.1, max=1440, callback=finite, help="How long things go wrong.")] = 2.0,
    seed: Annotated[int | None, typer.Option(help="What goes wrong, and when. Default: any.")] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Kill, freeze and starve a running simulated stack, then prove that nothing was lost. Exit code 1 otherwise."""
    from trade_pipeline.commands.chaos import run_chaos

    run_chaos(home, minutes, seed, as_json=as_json)
