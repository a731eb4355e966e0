"""`down`, `pause` and `resume`: files and signals only, so that they work with everything else down."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from trade_pipeline.commands.context import home_named, open_context
from trade_pipeline.commands.output import say
from trade_pipeline.errors import ConfigurationError
from trade_pipeline.execution.control import pause, resume
from trade_pipeline.runtime.health import Surroundings
from trade_pipeline.runtime.home_lock import HomeLock
from trade_pipeline.runtime.orphans import stop_orphans
from trade_pipeline.runtime.processes import stack_processes
from trade_pipeline.runtime.stack import Stack
from trade_pipeline.runtime.stop import Stopper, remove_sockets, request_stop
from trade_pipeline.runtime.supervise import Supervisor
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.trading import StopPolicy


def run_down(home: Path | None, policy: StopPolicy | None) -> None:
    """Stops the stack of the home, by its `up` if that lives, else by its supervisor."""
    found = home_named(home)
    if request_stop(found, policy):
        say("stopped")
        return
    supervisor = Supervisor(found)
    if not supervisor.answers():
        left = stop_orphans(found)
        remove_sockets(found)
        say(f"stopped what was left behind: {', '.join(left)}" if left else "no stack runs in this home")
        return
    _stop_without_up(found, policy)
    say("stopped")


def _stop_without_up(home: Home, policy: StopPolicy | None) -> None:
    """The `up` of this stack was killed: there is nobody but us to carry out a policy."""
    context = open_context(home.root)
    environment = context.environment
    surroundings = Surroundings(home, context.settings, environment)
    stack = Stack(surroundings, stack_processes(home, context.settings, environment), say)
    with HomeLock(home):
        Stopper(stack, home, context.settings, say).run(policy or context.settings.runtime.stop_policy)


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
