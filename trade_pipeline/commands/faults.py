"""`trade-pipeline faults`: thousands of simulated disasters, judged, counted and made small."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import Progress

from trade_pipeline.faults import exhaust
from trade_pipeline.faults.campaign import Campaign, run, shrink, told
from trade_pipeline.faults.play import Played
from trade_pipeline.faults.scenario import make_scenario
from trade_pipeline.faults.stage import Stage
from trade_pipeline.runtime.throwaway_postgres import throwaway_postgres

_SHRUNK_MAX = 3


def run_faults(seeds: int, first: int, seed: int | None, ledger_url: str | None, *, as_json: bool) -> int:
    """Exit code 0: nothing broke and every kind of fault was hit; 1 otherwise."""
    with _database(ledger_url) as url:
        stage = Stage.at(url)
        try:
            if seed is not None:
                return _one(stage, seed, as_json=as_json)
            campaign = _many(stage, range(first, first + seeds), as_json=as_json)
            small = [_small(stage, played) for played in campaign.failed[:_SHRUNK_MAX]]
        finally:
            stage.close()
    _report(campaign, small, as_json=as_json)
    return 0 if campaign.succeeded else 1


def run_exhaustion(bases: int, first: int, pairs: int, ledger_url: str | None, *, as_json: bool) -> int:
    """Every single fault and death at every boundary of `bases` scenarios, then `pairs` of them each."""
    broken, played, began = 0, 0, time.monotonic()
    with _database(ledger_url) as url:
        stage = Stage.at(url)
        try:
            for seed in range(first, first + bases):
                for things, one in exhaust.all_of(stage, make_scenario(seed), pairs):
                    played += 1
                    broken += bool(one.violations)
                    for violation in one.violations:
                        typer.echo(f"seed {seed} with {', '.join(map(str, things))}: {violation}", err=as_json)
        finally:
            stage.close()
    took_s = time.monotonic() - began
    summary = {"bases": bases, "plays": played, "violations": broken, "plays_per_s": round(played / took_s, 2)}
    typer.echo(json.dumps(summary) if as_json else f"{played} plays of {bases} scenarios, {broken} of them broken")
    return 1 if broken else 0


@contextmanager
def _database(ledger_url: str | None) -> Iterator[str]:
    if ledger_url is not None:
        yield ledger_url
        return
    with throwaway_postgres() as url:
        yield url


def _one(stage: Stage, seed: int, *, as_json: bool) -> int:
    scenario = make_scenario(seed)
    played = stage.play(scenario)
    again = stage.play(scenario)
    if not as_json:
        for line in played.trace:
            typer.echo(line)
        typer.echo(f"seed {seed}: {told(scenario)}")
    if again.trace_hash != played.trace_hash:
        typer.echo(f"seed {seed} was played twice and went two ways: {played.trace_hash} {again.trace_hash}", err=True)
    for violation in played.violations:
        typer.echo(f"VIOLATION {violation}", err=as_json)
    summary = {
        "seeds": 1,
        "seed": seed,
        "violations": len(played.violations),
        "hits": dict(sorted(played.hits.items())),
        "never_hit": [],
        "trace_hash": played.trace_hash,
        "repeatable": again.trace_hash == played.trace_hash,
    }
    typer.echo(json.dumps(summary) if as_json else f"trace hash {played.trace_hash}")
    return 0 if not played.violations and again.trace_hash == played.trace_hash else 1


def _many(stage: Stage, seeds: range, *, as_json: bool) -> Campaign:
    with Progress(console=Console(stderr=True), disable=as_json) as progress:
        task = progress.add_task("seeds", total=len(seeds))
        broken = 0

        def tell(played: Played) -> None:
            nonlocal broken
            broken += bool(played.violations)
            progress.update(task, advance=1, description=f"{broken} broken")

        return run(stage, seeds, tell)


def _small(stage: Stage, played: Played) -> str:
    scenario = shrink(stage, make_scenario(played.seed))
    found = stage.play(scenario).violations
    return f"seed {played.seed}: {found[0] if found else played.violations[0]}\n  needs: {told(scenario)}"


def _report(campaign: Campaign, small: list[str], *, as_json: bool) -> None:
    for text in small:
        typer.echo(text, err=as_json)
    if as_json:
        typer.echo(json.dumps(campaign.summary()))
        return
    _table(campaign, typer.echo)


def _table(campaign: Campaign, say: Callable[[str], None]) -> None:
    for name, count in sorted(campaign.hits.items(), key=lambda item: -item[1]):
        if not name.startswith("crash at"):
            say(f"{count:8d}  {name}")
    say(
        f"{campaign.seeds} seeds, {campaign.orders} orders, {campaign.fills} fills, {campaign.violations} violations,"
        f" {campaign.seeds_per_s:.1f} seeds a second"
    )
    if campaign.never_hit:
        say(f"never hit: {', '.join(campaign.never_hit)}")
    if campaign.failed:
        say("failed seeds: " + " ".join(str(played.seed) for played in campaign.failed))
        say("See one with: trade-pipeline faults --seed N")
