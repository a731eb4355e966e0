"""Does what the plan says, and undoes it. Only processes of the stack are touched, by the ids of its supervisor.

A full disk is simulated per process: the limit on the size of files it writes is set to nothing, so that every write
to a file fails, as on a full disk, while other processes of this machine go on. What differs: the error is EFBIG and
not ENOSPC, and empty files can still be made. It needs no root, no mount and no quota.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psutil

from trade_pipeline.errors import ConfigurationError
from trade_pipeline.runtime.chaos.plan import DISK, KILL, OUTAGE, STOP, TWICE, Action
from trade_pipeline.runtime.chaos.subject import Subject

REDELIVERY_S = 60.0
ASKED_MAX = 3

_NEWEST = """query { runsOrError(filter: {pipelineName: "execute", statuses: [SUCCESS, FAILURE]}, limit: 1) {
    ... on Runs { results { runId } } } }"""
_AGAIN = """mutation Again($run: String!) {
    launchRunReexecution(reexecutionParams: {parentRunId: $run, strategy: ALL_STEPS}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""


class Doer:
    """Begins actions on a stack, and ends all of them, whatever happens between."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.killed: dict[str, int] = {}
        """By name, the process that was killed last."""

    @contextmanager
    def done(self, actions: tuple[Action, ...]) -> Iterator[list[str]]:
        """The actions last as long as the body; yields a sentence on each."""
        with ExitStack() as undo:
            yield [self._begin(action, undo) for action in actions]

    def calm(self) -> None:
        """Undoes what an earlier run may have left: frozen processes, full disks, faults of the exchange."""
        for name in self._subject.states():
            for process in self._subject.tree(name):
                with contextlib.suppress(psutil.Error):
                    _limit(process, resource.RLIM_INFINITY)
                    process.resume()
        with contextlib.suppress(OSError):
            self._subject.exchange("DELETE", "/sim/faults")

    def _begin(self, action: Action, undo: ExitStack) -> str:
        deeds: dict[str, Callable[[Action, ExitStack], str]] = {
            KILL: self._kill,
            STOP: self._stop,
            OUTAGE: self._outage,
            DISK: self._fill,
            TWICE: self._deliver_twice,
        }
        try:
            return deeds[action.kind](action, undo)
        except (psutil.Error, OSError, ConfigurationError, subprocess.SubprocessError) as error:
            # Another fault was quicker: what it broke cannot be broken again.
            return f"not possible now ({type(error).__name__}: {error})"

    def _kill(self, action: Action, _undo: ExitStack) -> str:
        victims = self._subject.tree(action.target)[:1]
        for process in victims:
            self.killed[action.target] = process.pid
            process.send_signal(signal.SIGKILL)
        return f"killed process {victims[0].pid}" if victims else "it was not running"

    def _stop(self, action: Action, undo: ExitStack) -> str:
        victims = self._subject.tree(action.target)
        undo.callback(lambda: _each(victims, psutil.Process.resume))
        _each(victims, psutil.Process.suspend)
        return f"froze {len(victims)} processes"

    def _outage(self, action: Action, undo: ExitStack) -> str:
        undo.callback(self._clear_faults)
        self._subject.exchange("POST", "/sim/faults", action.fault)
        return "the exchange fails"

    def _clear_faults(self) -> None:
        with contextlib.suppress(OSError):  # a killed exchange has forgotten its faults
            self._subject.exchange("DELETE", "/sim/faults")

    def _fill(self, action: Action, undo: ExitStack) -> str:
        target = action.target
        victims = self._subject.tree(target)
        # Children made meanwhile have inherited the limit: all that live at the end are freed.
        undo.callback(lambda: _each([*victims, *self._tree(target)], _free_disk))
        _each(victims, _fill_disk)
        return f"no file can be written by {len(victims)} processes"

    def _tree(self, name: str) -> list[psutil.Process]:
        try:
            return self._subject.tree(name)
        except OSError:
            return []

    def _deliver_twice(self, action: Action, _undo: ExitStack) -> str:
        if action.target == "message":
            return self._message_twice()
        # The UI may stumble once after what went wrong before: its pool held connections to a dead server.
        for _ in range(ASKED_MAX - 1):
            with contextlib.suppress(OSError, ConfigurationError):
                return self._run_twice()
            time.sleep(1.0)
        return self._run_twice()

    def _run_twice(self) -> str:
        runs = self._subject.graphql(_NEWEST, {})["runsOrError"].get("results", [])
        if not runs:
            return "there is no run yet"
        answer = self._subject.graphql(_AGAIN, {"run": runs[0]["runId"]})["launchRunReexecution"]
        return f"run {runs[0]['runId']} again: {answer['__typename']}"

    def _message_twice(self) -> str:
        # A process of its own: it needs Dagster and Celery, with the environment of the stack.
        done = subprocess.run(
            [sys.executable, "-m", "trade_pipeline.runtime.chaos.redeliver"],
            env=dict(self._subject.environment),
            capture_output=True,
            text=True,
            timeout=REDELIVERY_S,
            check=False,
        )
        return done.stdout.strip() or f"no message was sent again (exit code {done.returncode})"


def _each(processes: list[psutil.Process], deed: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):
            deed(process)


def _fill_disk(process: psutil.Process) -> None:
    _limit(process, 0)


def _free_disk(process: psutil.Process) -> None:
    _limit(process, resource.RLIM_INFINITY)


def _limit(process: psutil.Process, size_bytes_max: int) -> None:
    _, hard = process.rlimit(resource.RLIMIT_FSIZE)
    wanted = hard if size_bytes_max == resource.RLIM_INFINITY else size_bytes_max
    process.rlimit(resource.RLIMIT_FSIZE, (wanted, hard))
