"""The stack's processes, really started: in order, restarted, stopped, and found again as orphans."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from trade_pipeline.errors import ConfigurationError
from trade_pipeline.runtime.health import Surroundings
from trade_pipeline.runtime.orphans import orphans
from trade_pipeline.runtime.processes import Process, python
from trade_pipeline.runtime.stack import Stack
from trade_pipeline_tests.runtime.stacks import OTHERS, alive, awaited, prepared

pytestmark = pytest.mark.stack


def test_everything_is_alive_after_the_start(running: tuple[Stack, Surroundings]) -> None:
    stack, _ = running
    assert {name for name, state in stack.states().items() if state.alive} == set(stack.names)


def test_a_killed_process_comes_back_by_itself(running: tuple[Stack, Surroundings]) -> None:
    stack, _ = running
    before = stack.states()["redis"].process_id
    os.kill(before, signal.SIGKILL)
    awaited(lambda: stack.states()["redis"].alive and stack.states()["redis"].process_id != before, 20, "redis is back")


def test_a_killed_database_comes_back_by_itself(running: tuple[Stack, Surroundings]) -> None:
    from trade_pipeline.ledger.ledger import Ledger
    from trade_pipeline.settings.load import secrets_from

    stack, surroundings = running
    before = stack.states()["postgres"].process_id
    os.kill(before, signal.SIGKILL)
    ledger = Ledger(secrets_from({}, surroundings.home).ledger_url)

    def answers() -> bool:
        try:
            ledger.ping()
        except Exception:
            return False
        return True

    # That it was away is told by another process in its place: the moment without one may be too short to be seen.
    awaited(lambda: stack.states()["postgres"].process_id not in (before, 0, None), 40, "a new server process")
    awaited(answers, 40, "the database is back")
    ledger.close()


def test_nothing_of_the_stack_is_in_our_session(running: tuple[Stack, Surroundings]) -> None:
    stack, _ = running
    ours = os.getsid(0)
    assert all(os.getsid(state.process_id) != ours for state in stack.states().values() if state.alive)


def test_secrets_are_in_files_of_their_owner_only(running: tuple[Stack, Surroundings]) -> None:
    home = running[1].home
    secret = next(line.split("=", 1)[1] for line in home.secrets.read_text().splitlines() if "API_SECRET" in line)
    for path in [home.root, *home.root.iterdir()]:
        assert path.stat().st_mode & 0o077 == 0 or path.name in ("storage.log",), path
    for log in home.logs.iterdir():
        assert secret not in log.read_text(errors="replace"), log
    assert secret not in (home.root / "run" / "supervisord.conf").read_text()


def test_a_stop_leaves_no_process(tmp_path: Path) -> None:
    stack, surroundings = prepared(tmp_path, without=OTHERS | {"webserver", "daemon", "code_server"})
    stack.start()
    process_ids = {state.process_id for state in stack.states().values()}
    children = {
        child.pid for process_id in process_ids for child in psutil.Process(process_id).children(recursive=True)
    }
    stack.stop_all()
    assert alive(process_ids | children) == set()
    assert orphans(surroundings.home) == []


def test_orphans_of_a_killed_supervisor_are_stopped_before_the_next_start(tmp_path: Path) -> None:
    kept = OTHERS | {"webserver", "daemon", "code_server", "worker_history", "worker_execute"}
    stack, surroundings = prepared(tmp_path, without=kept)
    stack.start()
    try:
        before = {state.process_id for state in stack.states().values()}
        os.kill(stack.supervisor.process_id(), signal.SIGKILL)
        awaited(stack.supervisor.exited, 20, "the supervisor is gone")
        assert alive(before) == before
        stack.start()
        assert alive(before) == set()
        assert all(state.alive for state in stack.states().values())
    finally:
        stack.stop_all()
    assert orphans(surroundings.home) == []


def test_a_process_that_ends_again_and_again_fails_the_start_and_leaves_nothing(tmp_path: Path) -> None:
    _, surroundings = prepared(tmp_path, without=OTHERS)
    broken = Process("broken", python("-c", "raise SystemExit('no luck today')"), ready="said", steady_s=1)
    patient = Process("patient", python("-c", "import time; time.sleep(600)"))
    stack = Stack(surroundings, [patient, broken])
    with pytest.raises(ConfigurationError, match=r"broken: the process ends again and again.*no luck today"):
        stack.start(timeout_s=60)
    assert not stack.supervisor.answers()
    assert orphans(surroundings.home) == []
