"""`up` from start to stop in this process, with the small code location, and the other commands beside it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from trade_pipeline.cli import main
from trade_pipeline.runtime.environment import DEFINITIONS
from trade_pipeline.runtime.orphans import orphans
from trade_pipeline.runtime.stack_file import read_stack_file
from trade_pipeline.runtime.supervise import Supervisor
from trade_pipeline.settings.home import Home
from trade_pipeline_tests.runtime.stacks import SMALL, awaited

pytestmark = pytest.mark.stack

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home of its own; signal handlers are put back, because `up` owns its process and this one is not its own."""
    for name in list(os.environ):
        if name.startswith(("TRADE_PIPELINE", "DAGSTER")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TRADE_PIPELINE__EXCHANGE__PORT", "0")
    monkeypatch.setenv(DEFINITIONS, SMALL)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield Home.at(tmp_path / "home")
    for number, handler in before.items():
        signal.signal(number, handler)


def _beside_up(home: Home, visit: Callable[[], None]) -> list[BaseException]:
    """Runs `up` here and `visit` in a thread once the stack is up; `up` is told to stop when the visit ends."""
    troubles: list[BaseException] = []

    def visitor() -> None:
        try:
            awaited(lambda: read_stack_file(home) is not None, 120, "the stack is up")
            visit()
        except BaseException as error:
            troubles.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=visitor)
    thread.start()
    with suppress(SystemExit):
        main(["up", "--home", str(home.root), "--port", "0"])
    thread.join(30)
    return troubles


def _call(*arguments: str) -> int:
    try:
        main(list(arguments))
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_up_serves_heals_its_supervisor_and_stops_with_nothing_left(
    home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    where = ("--home", str(home.root))
    results: dict[str, int] = {}

    def visit() -> None:
        for command in ("status", "plan --dry-run", "env", "config show", "pause", "resume"):
            results[command] = _call(*shlex.split(command), *where)
        results["up again"] = _call("up", *where)
        results["an order that is not there"] = _call("explain", "nothing", *where)
        before = Supervisor(home).process_id()
        os.kill(before, signal.SIGKILL)
        awaited(lambda: Supervisor(home).answers() and Supervisor(home).process_id() != before, 60, "a new supervisor")
        awaited(lambda: all(item.alive for item in Supervisor(home).states().values()), 90, "everything is back")

    assert _beside_up(home, visit) == []
    output = capfd.readouterr()
    assert "everything is ready" in output.out
    assert "the process supervisor has died" in output.out
    assert "nothing remains open on the exchange" in output.out
    assert output.out.rstrip().endswith("stopped")
    assert "another stack runs in this home" in output.err
    assert "export DAGSTER_HOME=" in output.out
    assert results.pop("up again") == 2
    assert results.pop("an order that is not there") == 2
    assert set(results.values()) == {0}
    assert orphans(home) == []
    assert not home.sockets.exists()


def test_down_carries_its_policy_to_up_and_flatten_works_meanwhile(
    home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    where = ("--home", str(home.root))
    codes: list[int] = []

    def visit() -> None:
        codes.append(_call("flatten", *where))
        codes.append(_call("down", "--policy", "cancel_entries", *where))

    assert _beside_up(home, visit) == []
    output = capfd.readouterr().out
    assert codes == [0, 0]
    assert "stopping (policy: cancel_entries)" in output
    assert "there was nothing to cancel or sell" in output


def test_a_stack_whose_up_was_killed_is_seen_and_stopped_by_down(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    import subprocess
    import sys

    where = ("--home", str(home.root))
    command = [sys.executable, "-m", "trade_pipeline.cli", "up", *where, "--port", "0"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        awaited(lambda: read_stack_file(home) is not None, 120, "the stack is up")
        child.kill()
        child.wait()
        assert _call("status", "--json", *where) == 0
        status = json.loads(capfd.readouterr().out)
        assert not status["running"]
        assert all(process["state"] == "RUNNING" or process["state"] == "STARTING" for process in status["processes"])
    finally:
        assert _call("down", *where) == 0
    assert "stopped" in capfd.readouterr().out
    assert orphans(home) == []
