"""`down`, `pause` and `resume`: files and signals only, so that they work with everything else down."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from trade_pipeline.commands.context import home_named
from trade_pipeline.commands.output import say
from trade_pipeline.errors import ConfigurationError
from trade_pipeline.execution.control import pause, resume
from trade_pipeline.runtime.orphans import stop_orphans
from trade_pipeline.runtime.stop import request_stop
from trade_pipeline.runtime.supervise import Supervisor
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.trading import StopPolicy

_SHUTDOWN_S = 60.0


def run_down(home: Path | None, policy: StopPolicy | None) -> None:
    """Stops the stack of the home, by its `up` if that lives, else by its supervisor."""
    found = home_named(home)
    if request_stop(found, policy):
        say("stopped")
        return
    supervisor = Supervisor(found)
    if not supervisor.answers():
        left = stop_orphans(found)
        say(f"stopped what was left behind: {', '.join(left)}" if left else "no stack runs in this home")
        return
    # Its `up` was killed: there is nobody to carry out a policy but us.
    _policy_without_up(found, policy)
    supervisor.shutdown(_SHUTDOWN_S)
    stop_orphans(found)
    say("stopped")


def _policy_without_up(home: Home, policy: StopPolicy | None) -> None:
    from trade_pipeline.errors import TradePipelineError
    from trade_pipeline.runtime.remaining import apply_policy, what_remains
    from trade_pipeline.settings.load import settings_in_force

    try:
        settings = settings_in_force(home)
        apply_policy(policy or settings.runtime.stop_policy, home, settings, say)
        for line in what_remains(home, settings):
            say(line)
    except TradePipelineError as error:
        say(f"the stop policy could not be carried out: {error}")


def run_pause(home: Path | None, reason: str) -> None:
    """Writes the pause file, which everything that sends orders looks at before it does."""
    found = home_named(home)
    if not found.root.is_dir():
        raise ConfigurationError("there is no such home", thing=str(found.root), repair="Name it with --home.")
    pause(found, reason, datetime.now(UTC))
    say("paused: nothing that increases a position is sent; stops and exits go on")


def run_resume(home: Path | None) -> None:
    """Lifts the pause. Raises GateClosed while a `flatten` runs."""
    say("resumed" if resume(home_named(home)) else "it was not paused")
