"""Chaos is done to a process of this test: it freezes, its disk is full, and both end with the episode."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from trade_pipeline.errors import ConfigurationError
from trade_pipeline.runtime.chaos.actions import Doer
from trade_pipeline.runtime.chaos.plan import DISK, KILL, OUTAGE, STOP, TWICE, Action
from trade_pipeline.runtime.chaos.subject import Subject
from trade_pipeline_tests.runtime.stacks import awaited

WRITER = """
import sys, time
while True:
    try:
        with open(sys.argv[1], "ab", buffering=0) as file:
            file.write(b"x")
        print("written", flush=True)
    except OSError as error:
        print("failed", error.errno, flush=True)
    time.sleep(0.01)
"""


class OneProcess:
    """A stack of one process; its exchange remembers what it was asked."""

    def __init__(self, process: psutil.Process) -> None:
        self.process = process
        self.asked: list[tuple[str, str, object]] = []

    def states(self) -> dict[str, object]:
        return {"writer": None}

    def tree(self, name: str) -> list[psutil.Process]:
        return [self.process] if name == "writer" and self.process.is_running() else []

    def exchange(self, method: str, path: str, body: object = None) -> dict[str, object]:
        self.asked.append((method, path, body))
        return {}

    def graphql(self, query: str, _variables: object) -> Any:
        if "Again" in query:
            raise ConfigurationError("the run is not there", thing="GraphQL")
        return {"runsOrError": {"results": [{"runId": "r1"}]}}


@pytest.fixture
def child(tmp_path: Path) -> Iterator[tuple[psutil.Process, Path]]:
    output = tmp_path / "said"
    with output.open("w") as file:
        started = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "written")], stdout=subprocess.PIPE)
        # What it says goes through a pipe: pipes are no files, and a full disk does not silence them.
        reader = subprocess.Popen(["cat"], stdin=started.stdout, stdout=file)
    yield psutil.Process(started.pid), output
    started.kill()
    started.wait()
    reader.wait()


def _doer(process: psutil.Process) -> tuple[Doer, OneProcess]:
    subject = OneProcess(process)
    return Doer(cast("Subject", subject)), subject


def _last(output: Path) -> str:
    lines = output.read_text().splitlines()
    return lines[-1] if lines else ""


def test_with_a_full_disk_writes_fail_until_the_episode_ends(child: tuple[psutil.Process, Path]) -> None:
    process, output = child
    awaited(lambda: _last(output) == "written", 10, "it writes")
    with _doer(process)[0].done((Action(DISK, "writer", 1.0),)) as said:
        assert said == ["no file can be written by 1 processes"]
        awaited(lambda: _last(output).startswith("failed"), 10, "writing fails")
    awaited(lambda: _last(output) == "written", 10, "it writes again")


def test_a_frozen_process_goes_on_where_it_was(child: tuple[psutil.Process, Path]) -> None:
    process, _ = child
    with _doer(process)[0].done((Action(STOP, "writer", 1.0),)):
        awaited(lambda: process.status() == psutil.STATUS_STOPPED, 5, "it stands still")
    awaited(lambda: process.status() != psutil.STATUS_STOPPED, 5, "it goes on")


def test_a_killed_process_is_remembered_by_its_id(child: tuple[psutil.Process, Path]) -> None:
    process, _ = child
    doer, _ = _doer(process)
    with doer.done((Action(KILL, "writer"),)) as said:
        assert said == [f"killed process {process.pid}"]
    assert doer.killed == {"writer": process.pid}
    awaited(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, 5, "it is dead")


def test_an_outage_is_lifted_and_what_cannot_be_done_is_said(child: tuple[psutil.Process, Path]) -> None:
    process, _ = child
    doer, subject = _doer(process)
    fault = {"kind": "http_500"}
    with doer.done((Action(OUTAGE, "http_500", 1.0, fault), Action(TWICE, "run"))) as said:
        assert said == ["the exchange fails", "not possible now (ConfigurationError: GraphQL: the run is not there)"]
    assert subject.asked == [("POST", "/sim/faults", fault), ("DELETE", "/sim/faults", None)]


def test_calm_frees_whatever_was_left_frozen(child: tuple[psutil.Process, Path]) -> None:
    process, output = child
    doer, subject = _doer(process)
    process.suspend()
    doer.calm()
    before = len(output.read_text())
    awaited(lambda: len(output.read_text()) > before, 10, "it goes on")
    assert subject.asked == [("DELETE", "/sim/faults", None)]
