"""`up`: starts the stack, shows it, and takes it down by the stop policy."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from rich.console import Console

from trade_pipeline.commands.output import WHOLE_WIDTH
from trade_pipeline.commands.output import console as terminal
from trade_pipeline.commands.preflight import require_preflight
from trade_pipeline.commands.replay_source import check_replay
from trade_pipeline.errors import ModeRefused, TradePipelineError
from trade_pipeline.execution.control import pause
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.observe.live import View
from trade_pipeline.observe.status import StatusReader
from trade_pipeline.runtime.environment import exchange_url, make_secrets, prepare_home, stack_environment
from trade_pipeline.runtime.health import Surroundings
from trade_pipeline.runtime.home_lock import HomeLock
from trade_pipeline.runtime.ports import claimed
from trade_pipeline.runtime.preflight.instance_watch import InstanceWatch
from trade_pipeline.runtime.preflight.reader import other_guard
from trade_pipeline.runtime.preflight.run import home_mode
from trade_pipeline.runtime.processes import stack_processes
from trade_pipeline.runtime.stack import Stack
from trade_pipeline.runtime.stack_file import StackFile, write_stack_file
from trade_pipeline.runtime.stop import Stopper, take_stop_request
from trade_pipeline.runtime.ui_address import reading_url, to_open, ui_url
from trade_pipeline.runtime.watching import Watching
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import load_settings, secrets_from, write_settings_in_force
from trade_pipeline.settings.protect import protect_process
from trade_pipeline.settings.root import Settings

_REFRESH_S = 1.0
_HEALS_MAX = 20


def run_up(
    *,
    settings_file: Path | None,
    overrides: dict[str, object],
    confirmed: Collection[str] = (),
    console: Console | None = None,
) -> None:
    """Returns after an orderly stop. Raises ConfigurationError and its kinds; nothing is left running then."""
    if overrides.get("home") is None:
        overrides["home"] = os.environ.get("TRADE_PIPELINE_HOME")
    settings = load_settings(settings_file, overrides=overrides, environ=os.environ)
    refuse_other_modes(settings)
    refuse_named_exchange(settings, overrides)
    check_replay(settings.exchange)
    home, console = Home.at(settings.home), console or terminal(WHOLE_WIDTH)
    with HomeLock(home), View(console) as view:
        if settings.mode == "live":
            require_preflight(settings, home, confirmed, console)
        else:
            refuse_live_home(home)
        prepare_home(home)
        stack, settings = build_stack(home, settings, view)
        stopping = _stop_on_signals()
        began_at = datetime.now(UTC)
        _start(stack, view, stopping)
        if not stopping.is_set():
            _record(home, settings, stack, began_at)
            for line in ui_addresses(home, settings):
                view.note(line)
            with Watching(stack, secrets_from(os.environ, home).ledger_url, view.note):
                _watch(stack, home, settings, view, stopping)
        view.close()
        _take_down(stack, home, settings, view)


def refuse_other_modes(settings: Settings) -> None:
    """Raises ModeRefused. Live is not refused here: it has to pass the preflight."""
    if settings.mode == "paper" and settings.exchange.replay is not None:
        raise ModeRefused(
            "paper follows a real exchange, and a recording is named",
            thing="exchange.replay",
            value=str(settings.exchange.replay),
            repair="Use `--mode sim` for a recording.",
        )


def refuse_named_exchange(settings: Settings, overrides: Mapping[str, object]) -> None:
    """The simulation has no other exchange than its own. Raises ModeRefused."""
    if settings.mode == "sim" and overrides.get("venue.name") is not None:
        raise ModeRefused(
            "an exchange is named, and sim trades on the simulated one",
            thing="--exchange",
            value=overrides["venue.name"],
            repair="Add `--mode paper`.",
        )


def refuse_live_home(home: Home) -> None:
    """A simulated account must not be continued in the book of a real one. Raises ModeRefused."""
    if home_mode(home) == "live":
        raise ModeRefused(
            "this home holds the book of a live account",
            thing=str(home.root),
            repair="Name another home with --home, or use `--mode live`.",
        )


def build_stack(home: Home, settings: Settings, view: View) -> tuple[Stack, Settings]:
    """A stack that is ready to start, and the settings with the ports it was given. The home's lock is held."""
    clear_leftovers(home, settings, view)
    settings = _with_ports(settings)
    secrets = make_secrets(home, settings, os.environ)
    protect_process(secrets, streams=False)  # what it prints of itself is the address with the token
    write_settings_in_force(home, settings)
    environment = {**os.environ, **stack_environment(home, settings, secrets, os.environ)}
    processes = stack_processes(home, settings, environment)
    return Stack(Surroundings(home, settings, environment), processes, view.note), settings


def clear_leftovers(home: Home, settings: Settings, view: View) -> None:
    """Before ports are looked at: an orphan of ours must not make us believe that somebody else holds them."""
    Stack(Surroundings(home, settings, {}), [], view.note).clear()


def _with_ports(settings: Settings) -> Settings:
    exchange = claimed(settings.exchange.port, setting="exchange.port")
    ui = claimed(settings.runtime.ui_port, setting="runtime.ui_port", option="--port")
    reading = settings.runtime.ui_read_only_port
    if reading is not None:
        reading = claimed(reading, setting="runtime.ui_read_only_port")
    ports = {"ui_port": ui, "ui_read_only_port": reading}
    return settings.model_copy(
        update={
            "exchange": settings.exchange.model_copy(update={"port": exchange}),
            "runtime": settings.runtime.model_copy(update=ports),
        }
    )


def ui_addresses(home: Home, settings: Settings) -> list[str]:
    """One sentence per UI with the address to open, its token included where one is asked for."""
    full, reading = to_open(settings, secrets_from(os.environ, home).ui_token)
    lines = [f"The UI is at {full}; Ctrl-C stops."]
    return [*lines, f"Its read-only twin is at {reading}."] if reading else lines


def _record(home: Home, settings: Settings, stack: Stack, began_at: datetime) -> None:
    exchange = exchange_url(settings) or "https://api.binance.com"
    names, reading = tuple(stack.names), reading_url(settings)
    write_stack_file(home, StackFile(os.getpid(), began_at, settings.mode, ui_url(settings), exchange, names, reading))


def _stop_on_signals() -> threading.Event:
    """SIGINT is set even where it was ignored: a shell script's `&` ignores it for its children."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    return stopping


def _start(stack: Stack, view: View, stopping: threading.Event) -> None:
    view.note("starting; the first start takes a few seconds longer")
    seconds = stack.start(stop=stopping)
    if not stopping.is_set():
        view.note(f"everything is ready after {seconds:.1f} s")


def _watch(stack: Stack, home: Home, settings: Settings, view: View, stopping: threading.Event) -> None:
    reader = StatusReader(home, settings, os.environ)
    ledger = Ledger(secrets_from(os.environ, home).ledger_url)
    instances = InstanceWatch(lambda: other_guard(ledger, settings, home), settings.preflight.instance_check_s)
    heals = 0
    try:
        while not stopping.is_set():
            if stack.supervisor.exited() and heals < _HEALS_MAX:
                heals += 1
                view.note("the process supervisor has died; starting the stack again")
                with suppress(TradePipelineError):
                    stack.start(stop=stopping)
                continue
            began, now = time.monotonic(), datetime.now(UTC)
            view.show(reader.read(now))
            if (intruder := instances.look(now)) is not None:
                pause(home, f"another instance trades on this account: {intruder}", now)
                view.note(f"{now:%H:%M:%S} {intruder} guards this account too: paused")
            stopping.wait(max(0.0, _REFRESH_S - (time.monotonic() - began)))
    finally:
        reader.close()
        ledger.close()


def _take_down(stack: Stack, home: Home, settings: Settings, view: View) -> None:
    policy = take_stop_request(home) or settings.runtime.stop_policy
    Stopper(stack, home, settings, view.note).run(policy)
    view.note("stopped")
