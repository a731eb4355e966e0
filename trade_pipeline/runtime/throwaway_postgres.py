"""A PostgreSQL for one run of a simulator or a benchmark: the embedded server in its own folder, gone at the end."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.runtime import embedded_postgres

MEMORY = Path("/dev/shm")  # noqa: S108  tmpfs where there is one: its files are private to the folder
MEMORY_FREE_BYTES_MIN = 4 * 10**9
"""Containers have little of it: a server that fills it dies."""
UNSAFE = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


@contextmanager
def throwaway_postgres(*, durable: bool = False) -> Iterator[str]:
    """URL of a migrated ledger on a `throwaway_server`, which SIGTERM ends too."""
    before = _end_by_exception()
    try:
        with throwaway_server("once", durable=durable) as url:
            embedded_postgres.create_database(url)
            ledger = Ledger(url)
            ledger.migrate()
            ledger.close()
            yield url
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def throwaway_server(database: str, *, durable: bool = False) -> Iterator[str]:
    """URL of a database that is still to be created.

    Nothing of the server survives, so it is in memory where there is enough and nothing is synced to a disk. `durable`:
    on the disk of temporary files and synced at each commit, as a stack's own server is; what is measured needs that.
    """
    in_memory = not durable and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_FREE_BYTES_MIN
    # A short folder: a socket's path has room for 107 bytes.
    root = Path(tempfile.mkdtemp(prefix="tp-once-", dir=MEMORY if in_memory else None))
    password = secrets.token_hex(8)
    url = embedded_postgres.url(root / "s", password, database)
    server = None
    try:
        embedded_postgres.initialise(root / "postgres", root / "s", password)
        command = embedded_postgres.foreground_command(root / "postgres", root / "s")
        with (root / "log").open("wb") as log:
            server = subprocess.Popen(  # noqa: S603  our own binary, no shell
                [*command, *(() if durable else UNSAFE)], stdout=log, stderr=log, start_new_session=True
            )
        embedded_postgres.wait_ready(url, timeout_s=60)
        yield url
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(root, ignore_errors=True)


def _end_by_exception() -> Any:
    """SIGTERM becomes an exit that runs what is below `finally`: a server must not outlive who started it."""
    if threading.current_thread() is not threading.main_thread():
        return None

    def leave(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    return signal.signal(signal.SIGTERM, leave)
