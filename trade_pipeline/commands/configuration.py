"""`config check`, `config show` and `env`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import yaml

from trade_pipeline.commands.context import open_context
from trade_pipeline.commands.output import hint, say
from trade_pipeline.commands.replay_source import check_replay
from trade_pipeline.settings.load import load_settings
from trade_pipeline.settings.root import Settings


def check(settings_file: Path | None) -> None:
    """Raises SettingsError, ModeRefused or ReplayFileError with what is wrong."""
    from trade_pipeline.commands.up import refuse_other_modes

    settings = load_settings(settings_file, environ=os.environ)
    refuse_other_modes(settings)
    check_replay(settings.exchange)
    say(f"the settings are valid (decision hash {settings.decision_hash})")


def show(settings_file: Path | None, home: Path | None) -> None:
    """Of a file when one is named, else of the stack in the home. Secrets are never shown."""
    if settings_file is not None:
        settings = load_settings(settings_file, environ=os.environ)
    else:
        settings = open_context(home).settings
    say(as_yaml(settings).rstrip())


def as_yaml(settings: Settings) -> str:
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)


def print_environment(home: Path | None) -> None:
    """Lines for `eval` in a POSIX shell. They hold secrets: into a shell, not into a file."""
    context = open_context(home)
    for name, value in sorted(context.environment.items()):
        say(f"export {name}={shlex.quote(value)}")
    hint('# for a shell: eval "$(trade-pipeline env)"; the lines hold secrets')
