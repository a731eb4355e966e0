"""Starts the processes of a stack in the order of what they need, stops them in reverse, and heals the supervisor.

The start fails as a whole: a process that does not become ready takes everything down again, with its last words.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
import xmlrpc.client
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from trade_pipeline.errors import ConfigurationError, TradePipelineError
from trade_pipeline.runtime import embedded_postgres
from trade_pipeline.runtime.environment import POSTGRES_PASSWORD
from trade_pipeline.runtime.health import Surroundings, is_ready
from trade_pipeline.runtime.orphans import stop_orphans
from trade_pipeline.runtime.processes import STORAGE, Process, in_start_order, storage_command
from trade_pipeline.runtime.supervise import ProcessState, Supervisor
from trade_pipeline.settings.load import read_secrets_file

START_S = 120.0
_LOOK_S = 0.1
_DEATHS_MAX = 3
CONFIGURATION_EXIT = 2
_INITIALISE = "initdb"

Report = Callable[[str], None]


class Stack:
    """The running processes of one home. Whoever uses it holds the home's lock."""

    def __init__(self, surroundings: Surroundings, processes: list[Process], report: Report = lambda _: None) -> None:
        self.surroundings = surroundings
        self.processes = in_start_order(processes)
        self._report = report
        self.supervisor = Supervisor(surroundings.home)

    @property
    def names(self) -> list[str]:
        return [process.name for process in self.processes]

    def start(self, timeout_s: float = START_S, stop: threading.Event | None = None) -> float:
        """Starts everything and returns the seconds until all were ready, or until `stop` was set.

        Raises ConfigurationError, LedgerUnavailable; nothing is left running then.
        """
        began = time.monotonic()
        self.clear()
        try:
            surroundings = self.surroundings
            self.supervisor.start(self.processes, surroundings.environment, surroundings.settings.runtime)
            _Start(self.surroundings, self.processes, self.supervisor, self._report).run(
                began + timeout_s, stop or threading.Event()
            )
        except BaseException:
            self.stop_all()
            raise
        return time.monotonic() - began

    def clear(self) -> None:
        """Stops what an earlier stack left behind in this home: a supervisor without its `up`, or orphans of both."""
        if self.supervisor.answers():
            self._report("stopping the stack that an earlier run left behind")
            self.supervisor.shutdown(_longest_stop(self.processes))
        stopped = stop_orphans(self.surroundings.home)
        if stopped:
            self._report(f"stopped what a killed supervisor left behind: {', '.join(stopped)}")

    def states(self) -> dict[str, ProcessState]:
        """Empty while the supervisor does not answer."""
        try:
            return self.supervisor.states()
        except (OSError, xmlrpc.client.Error):
            return {}

    def stop(self, names: Iterable[str]) -> None:
        """Signals these processes at once and waits until all are gone."""
        wanted = [process for process in self.processes if process.name in set(names)]
        with contextlib.suppress(OSError):
            for process in wanted:
                self.supervisor.stop_process(process.name)
        deadline = time.monotonic() + _longest_stop(wanted)
        while time.monotonic() < deadline:
            states = self.states()
            if not any(states[item.name].process_id for item in wanted if item.name in states):
                return
            time.sleep(_LOOK_S)

    def restart(self, name: str) -> None:
        """Stops one process and starts it again at once."""
        self.stop([name])
        with contextlib.suppress(OSError):
            self.supervisor.start_process(name)

    def replace(self, name: str) -> None:
        """Starts a process anew that does not react any more: it is killed with its children, nothing else helps.

        The database is stopped in its own way first; everything else is made to be killed.
        """
        state = self.states().get(name)
        if name == "postgres" or state is None or not state.alive:
            self.restart(name)
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(state.process_id) == state.process_id:
                os.killpg(state.process_id, signal.SIGKILL)
            else:
                os.kill(state.process_id, signal.SIGKILL)

    def stop_all(self) -> None:
        """Reverse order of the start, what does not depend on each other at the same time; then the supervisor."""
        try:
            for layer in reversed(_layers(self.processes)):
                self.stop(layer)
        finally:
            self.supervisor.shutdown(_longest_stop(self.processes))
            stop_orphans(self.surroundings.home)


class _Start:
    """One start: who is ready, who may start now, who takes too long."""

    def __init__(
        self, surroundings: Surroundings, processes: list[Process], supervisor: Supervisor, report: Report
    ) -> None:
        self._surroundings = surroundings
        self._waiting = list(processes)
        self._started: list[Process] = []
        self._ready: set[str] = set()
        self._present = {process.name for process in processes} | {STORAGE}
        self._supervisor = supervisor
        self._report = report
        self._storage: subprocess.Popen[str] | None = None
        self._deaths: dict[str, set[int]] = {}

    def run(self, deadline: float, stop: threading.Event) -> None:
        # Both take seconds and need nobody: initdb on the first start, and importing what makes the tables.
        with ThreadPoolExecutor(max_workers=1) as pool:
            made = pool.submit(self._initialise)
            try:
                self._start_storage()
                while not stop.is_set() and (self._waiting or self._started or STORAGE not in self._ready):
                    self._look(made)
                    if time.monotonic() > deadline:
                        raise self._too_slow()
                    time.sleep(_LOOK_S)
            finally:
                if self._storage and self._storage.poll() is None:
                    self._storage.kill()
                    self._storage.wait()

    def _initialise(self) -> None:
        if "postgres" in self._present:
            home = self._surroundings.home
            embedded_postgres.initialise(home.postgres, home.sockets, read_secrets_file(home)[POSTGRES_PASSWORD])

    def _start_storage(self) -> None:
        log = self._surroundings.home.logs / f"{STORAGE}.log"
        with log.open("w") as output:
            self._storage = subprocess.Popen(  # noqa: S603  (our own argv, no shell)
                storage_command(),
                env=dict(self._surroundings.environment),
                cwd=self._surroundings.home.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def _look(self, initialised: Future[None]) -> None:
        if initialised.done():
            initialised.result()
            self._ready.add(_INITIALISE)
        self._look_at_storage()
        for process in list(self._waiting):
            if self._may_start(process):
                self._supervisor.start_process(process.name)
                self._waiting.remove(process)
                self._started.append(process)
        states = self._supervisor.states()
        for process in list(self._started):
            state = states[process.name]
            self._count_death(process, state)
            if state.alive and is_ready(process.ready, process.name, state.process_id, self._surroundings):
                self._started.remove(process)
                self._ready.add(process.name)
                self._report(f"{process.name} is ready")

    def _may_start(self, process: Process) -> bool:
        needed = {name for name in process.after if name in self._present}
        if process.name == "postgres":
            needed.add(_INITIALISE)
        return needed <= self._ready

    def _look_at_storage(self) -> None:
        assert self._storage is not None
        if STORAGE in self._ready or self._storage.poll() is None:
            return
        if self._storage.returncode != 0:
            raise ConfigurationError(
                f"the database could not be prepared: {last_words(self._surroundings.home.logs / 'storage.log')}",
                thing="storage",
                repair="storage.log and postgres.log in the home's logs folder say more.",
            )
        self._ready.add(STORAGE)
        self._report("the tables are up to date")

    def _count_death(self, process: Process, state: ProcessState) -> None:
        if state.alive:
            self._deaths.setdefault(process.name, set()).add(state.process_id)
        elif state.state == "BACKOFF" and self._supervisor.last_exit_status(process.name) == CONFIGURATION_EXIT:
            # Our own processes end so when a person has to change something: trying again changes nothing.
            raise ConfigurationError(
                last_words(self._surroundings.home.logs / f"{process.name}.log").rstrip("."), thing=process.name
            )
        if len(self._deaths.get(process.name, ())) > _DEATHS_MAX or state.state == "FATAL":
            raise self._failed(process.name, "ends again and again")

    def _too_slow(self) -> TradePipelineError:
        name = next((process.name for process in self._started), STORAGE)
        return self._failed(name, "is not ready in time")

    def _failed(self, name: str, what: str) -> TradePipelineError:
        log = self._surroundings.home.logs / f"{name}.log"
        return ConfigurationError(
            f"the process {what}; its last words: {last_words(log)}", thing=name, repair=f"Its log is {log}."
        )


def last_words(log: Path) -> str:
    """The last line of a log that says something."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return "nothing was logged"
    return lines[-1][-400:] if lines else "nothing was logged"


def _layers(processes: list[Process]) -> list[list[str]]:
    """Processes by their distance from those that need nobody; the servers everybody needs come first, alone."""
    depth: dict[str, int] = {STORAGE: 1}
    for process in in_start_order(processes):
        needed = [depth.get(name, 0) for name in process.after]
        base = 0 if process.name in ("postgres", "redis") else 2
        depth[process.name] = max([base, *(value + 1 for value in needed)])
    return [[name for name, value in depth.items() if value == level] for level in sorted(set(depth.values()))]


def _longest_stop(processes: list[Process]) -> float:
    return max((process.stop_wait_s for process in processes), default=0) + 3.0
