"""`preflight`: what live trading asks for, checked without starting anything; and the same before `up --mode live`."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from trade_pipeline.commands.output import WHOLE_WIDTH, console, say
from trade_pipeline.errors import PreflightFailed
from trade_pipeline.runtime.preflight.checks import passed
from trade_pipeline.runtime.preflight.facts import Finding
from trade_pipeline.runtime.preflight.run import preflight
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import load_settings
from trade_pipeline.settings.root import Settings


def run_preflight(settings_file: Path | None, home: Path | None, confirmed: Collection[str], *, as_json: bool) -> None:
    """Prints the table, or one JSON object. Exit code 2 when a check failed."""
    named = str(home) if home else os.environ.get("TRADE_PIPELINE_HOME")
    settings = load_settings(settings_file, overrides={"mode": "live", "home": named}, environ=os.environ)
    findings = preflight(settings, Home.at(settings.home), os.environ, confirmed)
    if as_json:
        say(json.dumps({"passed": passed(findings), "checks": [asdict(item) for item in findings]}, indent=2))
    else:
        console(WHOLE_WIDTH).print(table(findings))
    if not passed(findings):
        raise typer.Exit(2)


def require_preflight(settings: Settings, home: Home, confirmed: Collection[str], shown: Console) -> None:
    """Shows the table. Raises PreflightFailed naming every check that failed."""
    findings = preflight(settings, home, os.environ, confirmed)
    shown.print(table(findings))
    failed = [item.check for item in findings if not item.passed]
    if failed:
        raise PreflightFailed(
            f"live trading does not start: {len(failed)} of {len(findings)} checks failed ({'; '.join(failed)})",
            thing="preflight",
            repair="The table above says what repairs each; `trade-pipeline preflight` checks again.",
        )


def table(findings: list[Finding]) -> Table:
    """As wide as its words; on a narrow terminal they go on in the next line."""
    shown = Table(title="Preflight of live trading")
    for name in ("check", "", "found", "repair"):
        shown.add_column(name, overflow="fold")
    for item in findings:
        verdict = "[green]passed[/]" if item.passed else "[bold red]FAILED[/]"
        shown.add_row(item.check, verdict, _plain(item.found), _plain(item.repair))
    return shown


def _plain(text: str) -> str:
    # Square brackets in a value are no markup.
    return text.replace("[", "\\[")
