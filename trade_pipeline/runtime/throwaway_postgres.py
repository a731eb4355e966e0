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


@contextmanager
def throwaway_postgres(*, durable: bool = False) -> Iterator[str]:
    """URL of a migrated ledger.

    Nothing in it survives, so it is in memory where that is possible and nothing is synced to a disk. `durable`: on
    the disk of temporary files and synced at each commit, as a stack's own server is; what is measured needs that.
    """
    memory = Path("/dev/shm")  # noqa: S108  tmpfs where there is one: its files are private to the folder
    in_memory = memory.is_dir() and not durable
    root = Path(tempfile.mkdtemp(prefix="tp-once-", dir=memory if in_memory else None))
    password = secrets.token_hex(8)
    url = embedded_postgres.url(root / "s", password, "once")
    server = None
    before = _end_by_exception()
    try:
        embedded_postgres.initialise(root / "postgres", root / "s", password)
        command = embedded_postgres.foreground_command(root / "postgres", root / "s")
        unsafe = [] if durable else ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        with (root / "log").open("wb") as log:
            server = subprocess.Popen(  # noqa: S603  our own binary, no shell
                [*command, *unsafe], stdout=log, stderr=log, start_new_session=True
            )
        embedded_postgres.wait_ready(url, timeout_s=60)
        embedded_postgres.create_database(url)
        ledger = Ledger(url)
        ledger.migrate()
        ledger.close()
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
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _end_by_exception() -> Any:
    """SIGTERM becomes an exit that runs what is below `finally`: a server must not outlive who started it."""
    if threading.current_thread() is not threading.main_thread():
        return None

    def leave(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    return signal.signal(signal.SIGTERM, leave)
