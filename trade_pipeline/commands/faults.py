"""`trade-pipeline faults`: thousands of simulated disasters, judged, counted and made small."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from trade_pipeline.faults import exhaust
from trade_pipeline.faults.campaign import Campaign, collect, shrink, told
from trade_pipeline.faults.crew import play_on
from trade_pipeline.faults.play import Played
from trade_pipeline.faults.record import Record
from trade_pipeline.faults.scenario import make_scenario
from trade_pipeline.faults.stage import Stage

PROGRESS_EVERY_S = 15.0
_SHRUNK_MAX = 10


def run_faults(
    seeds: range, ledger_url: str | None, *, jobs: int = 1, record: Path | None = None, as_json: bool = False
) -> int:
    """Exit code 0: nothing broke and every kind of fault was hit; 1 otherwise. `record`: see `faults.record`."""
    book = Record(record) if record is not None else None
    campaign = Campaign(jobs=jobs)
    for played in book.read(seeds) if book is not None else ():
        campaign.add(played)
    left = [seed for seed in seeds if seed not in campaign.played]
    with play_on(ledger_url, jobs, left) as (stage, plays):
        collect(plays, _teller(len(seeds), book), campaign)
        small = [] if campaign.cut_short else [_small(stage, played) for played in campaign.failed[:_SHRUNK_MAX]]
    _report(campaign, small, as_json=as_json)
    return 0 if campaign.succeeded else 1


def run_one_seed(seed: int, ledger_url: str | None, *, as_json: bool) -> int:
    """One seed, twice, with all that happened in it. Exit code 1: it broke something, or went two ways."""
    with play_on(ledger_url, 1, ()) as (stage, _):
        return _one(stage, seed, as_json=as_json)


def run_exhaustion(bases: int, first: int, pairs: int, ledger_url: str | None, *, as_json: bool) -> int:
    """Every single fault and death at every boundary of `bases` scenarios, then `pairs` of them each."""
    campaign = Campaign()

    def plays(stage: Stage) -> Iterator[Played]:
        for seed in range(first, first + bases):
            for things, played in exhaust.all_of(stage, make_scenario(seed), pairs):
                for violation in played.violations:
                    typer.echo(f"seed {seed} with {', '.join(map(str, things))}: {violation}", err=as_json)
                yield played

    with play_on(ledger_url, 1, ()) as (stage, _):
        collect(plays(stage), campaign=campaign)
    broken = len(campaign.failed)
    told = f"{campaign.plays} plays of {campaign.seeds} scenarios, {broken} of them broken"
    typer.echo(json.dumps(campaign.summary()) if as_json else told)
    return 1 if broken or campaign.cut_short else 0


def _one(stage: Stage, seed: int, *, as_json: bool) -> int:
    scenario, twice = make_scenario(seed), []
    campaign = collect((stage.play(scenario) for _ in range(2)), lambda _, played: twice.append(played))
    if len(twice) < 2:
        typer.echo(json.dumps(campaign.summary()) if as_json else f"seed {seed} was cut short")
        return 1
    played, again = twice
    if not as_json:
        for line in played.trace:
            typer.echo(line)
        typer.echo(f"seed {seed}: {told(scenario)}")
    repeatable = again.trace_hash == played.trace_hash
    if not repeatable:
        typer.echo(f"seed {seed} was played twice and went two ways: {played.trace_hash} {again.trace_hash}", err=True)
    for violation in played.violations:
        typer.echo(f"VIOLATION {violation}", err=as_json)
    summary = _once(campaign, played) | {"seed": seed, "trace_hash": played.trace_hash, "repeatable": repeatable}
    typer.echo(json.dumps(summary) if as_json else f"trace hash {played.trace_hash}")
    return 0 if not played.violations and repeatable else 1


def _once(campaign: Campaign, played: Played) -> dict[str, object]:
    """The second play of a seed proves that it repeats and counts for the time alone."""
    once = Campaign(took_s=campaign.took_s, timed=campaign.timed)
    once.add(played)
    return once.summary() | {"plays": campaign.plays}


def _teller(total: int, record: Record | None) -> Callable[[Campaign, Played], None]:
    """Writes each seed down at once, and says on stderr from time to time how far things are."""
    told_at = time.monotonic()

    def tell(campaign: Campaign, played: Played) -> None:
        nonlocal told_at
        if record is not None:
            record.add(played)
        for violation in played.violations[:1]:
            typer.echo(f"seed {played.seed}: {violation}", err=True)
        if time.monotonic() - told_at >= PROGRESS_EVERY_S:
            told_at = time.monotonic()
            minutes = (total - campaign.seeds) / campaign.seeds_per_s / 60
            typer.echo(
                f"{campaign.seeds} of {total} seeds, {len(campaign.failed)} broken,"
                f" {campaign.seeds_per_s:.1f} seeds a second, {minutes:.0f} minutes left",
                err=True,
            )

    return tell


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
        f" {campaign.seeds_per_s:.1f} seeds a second in {campaign.jobs} processes"
    )
    if campaign.cut_short:
        say("This campaign was cut short.")
    if campaign.never_hit:
        say(f"never hit: {', '.join(campaign.never_hit)}")
    if campaign.failed:
        say("failed seeds: " + " ".join(str(played.seed) for played in campaign.failed))
        say("See one with: trade-pipeline faults --seed N")
