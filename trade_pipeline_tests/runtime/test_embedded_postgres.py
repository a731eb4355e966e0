"""The embedded server: started for real, killed for real."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text

from trade_pipeline.errors import ConfigurationError, LedgerUnavailable
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.runtime import embedded_postgres, postgres_process

PASSWORD = "with space/and@signs%"


@dataclass(frozen=True)
class Place:
    data: Path
    sockets: Path

    @property
    def url(self) -> str:
        return embedded_postgres.url(self.sockets, PASSWORD)

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        with (self.data.parent / "log").open("ab") as log:
            command = embedded_postgres.foreground_command(self.data, self.sockets)
            server = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
        try:
            embedded_postgres.wait_ready(self.url, 60)
            yield server
        finally:
            if server.poll() is None:
                server.send_signal(signal.SIGINT)
            server.wait(timeout=30)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    # Short and private: no other user may pass, and the server must start all the same.
    root = Path(tempfile.mkdtemp(prefix="tp-pg-"))
    found = Place(root / "postgres", root / "s")
    embedded_postgres.initialise(found.data, found.sockets, PASSWORD)
    yield found
    shutil.rmtree(root, ignore_errors=True)


def test_it_starts_takes_a_ledger_and_stops_by_sigint(place: Place) -> None:
    with place.running() as server:
        embedded_postgres.create_database(place.url)
        embedded_postgres.create_database(place.url)
        ledger = Ledger(place.url)
        ledger.migrate()
        server.send_signal(getattr(signal, f"SIG{embedded_postgres.STOP_SIGNAL}"))
        assert server.wait(timeout=30) == 0  # although the ledger is still connected
        ledger.close()


def test_after_kill_9_the_same_command_recovers_with_what_was_committed(place: Place) -> None:
    with place.running() as server:
        embedded_postgres.create_database(place.url)
        ledger = Ledger(place.url)
        ledger.migrate()
        ledger.claim("decision", "execute", "before the kill")
        server.kill()
        server.wait()
        assert (place.data / "postmaster.pid").exists()
        with pytest.raises(LedgerUnavailable):
            ledger.ping()
    with place.running():
        ledger.claim("decision", "execute", "before the kill")
        ledger.close()


def test_a_pid_file_whose_number_another_program_has_now_does_not_stop_it(place: Place) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (place.data / "postmaster.pid").write_text(
            f"{other.pid}\n{place.data}\n1\n5432\n{place.sockets}\n\n1 1\nready\n"
        )
        with place.running():
            pass
        other.kill()


def test_a_second_server_on_the_same_folder_gives_way_to_the_first(place: Place) -> None:
    with place.running():
        second = subprocess.run(
            embedded_postgres.foreground_command(place.data, place.sockets),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode != 0
        assert "postmaster.pid" in second.stderr
        embedded_postgres.wait_ready(place.url, 5)


def test_nobody_gets_in_without_the_password_or_by_tcp(place: Place) -> None:
    with place.running() as server:
        with pytest.raises(LedgerUnavailable, match="password"):
            Ledger(embedded_postgres.url(place.sockets, "wrong", "postgres")).ping()
        listening = [c for c in psutil.Process(server.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert listening == []
        socket_mode = (place.sockets / ".s.PGSQL.5432").stat().st_mode
    assert "trust" not in (place.data / "pg_hba.conf").read_text()
    assert stat.S_IMODE(socket_mode) == stat.S_IMODE(place.data.stat().st_mode) == 0o700
    assert stat.S_IMODE(place.data.parent.stat().st_mode) == 0o700


def test_the_server_is_durable_and_speaks_utf8_and_utc(place: Place) -> None:
    with place.running():
        engine = create_engine(embedded_postgres.url(place.sockets, PASSWORD, "postgres"))
        with engine.connect() as connection:
            shown = {
                name: connection.execute(text(f"SHOW {name}")).scalar_one()
                for name in ("fsync", "synchronous_commit", "server_encoding", "TimeZone", "password_encryption")
            }
        engine.dispose()
    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
        "password_encryption": "scram-sha-256",
    }


def test_initialising_again_changes_nothing_and_an_interrupted_one_is_done_over(place: Place) -> None:
    before = (place.data / "pg_hba.conf").stat().st_mtime_ns
    embedded_postgres.initialise(place.data, place.sockets, "another password")
    assert (place.data / "pg_hba.conf").stat().st_mtime_ns == before

    root = Path(tempfile.mkdtemp(prefix="tp-pg-"))
    half = Place(root / "postgres", root / "s")
    (half.data / "base").mkdir(parents=True)
    (half.data / "PG_VERSION").write_text("18\n")
    embedded_postgres.initialise(half.data, half.sockets, PASSWORD)
    assert (half.data / "pg_hba.conf").exists()
    assert [path.name for path in root.iterdir() if path.name.startswith(".postgres-")] == []
    shutil.rmtree(root)


def test_a_socket_folder_that_is_too_deep_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="107 bytes"):
        embedded_postgres.initialise(tmp_path / "data", tmp_path / ("x" * 100), PASSWORD)


def test_a_server_that_does_not_come_is_reported(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="not ready"):
        embedded_postgres.wait_ready(embedded_postgres.url(tmp_path, "x"), 0.2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_where_namespaces_are_forbidden_root_runs_it_as_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way without namespaces, below a folder that only root may enter."""
    root = Path(tempfile.mkdtemp(prefix="tp-pg-"))
    other = Place(root / "postgres", root / "s")
    wrapper = Path(postgres_process.__file__)
    closed = root / "postgres_process.py"
    closed.write_text(wrapper.read_text().replace("if _namespace_works(data, user):", "if False:"))
    wrapped = embedded_postgres._wrapped

    def without_namespaces(*arguments: object) -> list[str]:
        return [str(closed) if part == str(wrapper) else part for part in wrapped(*arguments)]  # type: ignore[arg-type]

    monkeypatch.setattr(embedded_postgres, "_wrapped", without_namespaces)
    try:
        embedded_postgres.initialise(other.data, other.sockets, PASSWORD)
        with other.running() as server:
            assert psutil.Process(server.pid).username() == pwd.getpwnam("nobody").pw_name
            embedded_postgres.create_database(other.url)
            Ledger(other.url).ping()
        monkeypatch.undo()
        with other.running():  # and back again: the files change hands
            Ledger(other.url).ping()
    finally:
        shutil.rmtree(root)


def test_the_password_is_nowhere_in_the_folder_or_the_command(place: Place) -> None:
    secret = secrets.token_hex(8)
    root = Path(tempfile.mkdtemp(prefix="tp-pg-"))
    embedded_postgres.initialise(root / "postgres", root / "s", secret)
    assert not any(secret.encode() in path.read_bytes() for path in root.rglob("*") if path.is_file())
    assert secret not in " ".join(embedded_postgres.foreground_command(root / "postgres", root / "s"))
    shutil.rmtree(root)
