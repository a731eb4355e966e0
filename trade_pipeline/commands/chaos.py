"""`chaos`: disasters on the running stack of a home, and a verdict. Sim mode only."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import typer

from trade_pipeline.commands.context import Context, open_context
from trade_pipeline.commands.output import say
from trade_pipeline.errors import ConfigurationError, ModeRefused
from trade_pipeline.runtime.chaos.recovery import unwell
from trade_pipeline.runtime.chaos.run import ChaosRun, Report
from trade_pipeline.runtime.chaos.subject import Subject
from trade_pipeline.runtime.processes import stack_processes
from trade_pipeline.runtime.stack_file import read_stack_file


def run_chaos(home: Path | None, minutes: float, seed: int | None, *, as_json: bool) -> None:
    """Exit code 0 when the verdict is good, 1 when not. Raises ModeRefused, ConfigurationError."""
    subject = subject_of(open_context(home))
    chosen = random.randrange(1_000_000) if seed is None else seed
    silent = as_json
    if not silent:
        say(f"chaos for {minutes:g} minutes, seed {chosen}")
    report = ChaosRun(subject, (lambda _: None) if silent else say).run(minutes, chosen)
    if as_json:
        say(json.dumps(report.as_json()))
    else:
        _tell(report)
    if not report.passed:
        raise typer.Exit(1)


def subject_of(context: Context) -> Subject:
    """The running stack of the home. Raises ModeRefused (not sim), ConfigurationError (not running, not well)."""
    if context.settings.mode != "sim":
        raise ModeRefused(
            "chaos is for simulated accounts", thing="mode", value=context.settings.mode, repair="Use a sim stack."
        )
    stack = read_stack_file(context.home)
    repair = "Start one with `trade-pipeline up` and wait until it is ready."
    if stack is None:
        raise ConfigurationError("no stack runs here", thing=str(context.home.root), repair=repair)
    subject = Subject(
        home=context.home,
        settings=context.settings,
        secrets=context.secrets,
        environment={**os.environ, **context.environment},
        processes=tuple(stack_processes(context.home, context.settings, context.environment)),
        ui_url=stack.ui_url,
        exchange_url=stack.exchange_url,
    )
    if found := unwell(subject):
        raise ConfigurationError(f"the stack is not well: {', '.join(found)}", thing="chaos", repair=repair)
    return subject


def _tell(report: Report) -> None:
    for item in report.judgements:
        say(f"{'passed' if item.passed else 'FAILED'}  {item.name}: {item.found}")
    slowest = max((deed.recovered_s for deed in report.deeds), default=0.0)
    say(f"{len(report.deeds)} episodes, slowest recovery {slowest:.1f} s, settled after {report.settled_s:.1f} s")
    say("nothing was lost" if report.passed else "something was lost or did not recover: see above")
