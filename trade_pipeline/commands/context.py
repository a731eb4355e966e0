"""What every command needs first: which home is meant, its settings, and an environment in which stages run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from trade_pipeline.errors import LedgerUnavailable
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.runtime.environment import stack_environment
from trade_pipeline.runtime.home_lock import holder_of
from trade_pipeline.runtime.supervise import Supervisor
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import Secrets, load_settings, secrets_from, settings_in_force
from trade_pipeline.settings.protect import protect_process
from trade_pipeline.settings.root import Settings

STOPPED = "the stack of this home is stopped: `trade-pipeline up` starts it"


@dataclass(frozen=True, slots=True)
class Context:
    """A home in which a stack was started, with its settings in force."""

    home: Home
    settings: Settings
    secrets: Secrets

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the stack's processes. Holds secrets."""
        return stack_environment(self.home, self.settings, self.secrets, os.environ)


def home_named(home: Path | None) -> Home:
    """The home given, else that of TRADE_PIPELINE_HOME, else that of the settings."""
    named = home or os.environ.get("TRADE_PIPELINE_HOME")
    return Home.at(named) if named else Home.at(load_settings(None, environ=os.environ).home)


def open_context(home: Path | None) -> Context:
    """Raises SettingsError when no stack was ever started in that home."""
    found = home_named(home)
    settings, secrets = settings_in_force(found), secrets_from(os.environ, found)
    protect_process(secrets, streams=False)
    return Context(found, settings, secrets)


def runs(home: Home) -> bool:
    """Whether the home's `up` lives, or what it left behind when it was killed."""
    return holder_of(home) is not None or Supervisor(home).answers()


@contextmanager
def ledger_of(context: Context) -> Iterator[Ledger]:
    """The ledger of the home. Raises LedgerUnavailable, which leads with what starts a stack that is stopped."""
    with closing(Ledger(context.secrets.ledger_url)) as ledger:
        try:
            yield ledger
        except LedgerUnavailable as error:
            if runs(context.home):
                raise
            raise LedgerUnavailable(STOPPED, repair=f"({error.thing}: {error.message})") from error
