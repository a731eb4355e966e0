"""What two empty runs take with Dagster as it comes: default launcher, default executor, its own SQLite storage.

The daemon runs in a temporary folder and starts its code server itself. There is no webserver: it would only take
processor time from what is measured.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from trade_pipeline.bench.own_stack import environment_without_stack
from trade_pipeline.errors import ConfigurationError

DEFINITIONS = Path(__file__).with_name("stock_definitions.py")
POLL_S = 1.0
START_S_MAX = 180.0
BAR_S_MAX = 120.0
_RUNS = "SELECT pipeline_name, create_timestamp, end_time FROM runs WHERE status = 'SUCCESS' ORDER BY id"
_CONFIGURATION = "telemetry:\n  enabled: false\n"

Run = tuple[str, datetime, datetime]
"""Job, creation and end."""


def measure_stock(pairs: int, tell: Callable[[str], None]) -> list[float]:
    """Seconds from a cron tick to the end of the second run, `pairs` times. The first pair warms up, uncounted.

    Raises ConfigurationError where the daemon ends or makes no runs.
    """
    with tempfile.TemporaryDirectory(prefix="trade-pipeline-stock-") as folder, _daemon(Path(folder)) as daemon:
        deadline = time.monotonic() + START_S_MAX + pairs * BAR_S_MAX
        told = 0
        while True:
            found = pairs_of(_runs(Path(folder)))[1:]
            for took_s in found[told:pairs]:
                tell(f"stock Dagster: two empty runs after {took_s:.2f} s")
            told = min(len(found), pairs)
            if len(found) >= pairs:
                return found[:pairs]
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise ConfigurationError("the stock Dagster daemon made no runs", thing="bench latency")
            time.sleep(POLL_S)


def pairs_of(runs: Iterable[Run]) -> list[float]:
    """Seconds from each nominal minute to the end of the first second run that was made after its first one."""
    ordered = sorted(runs, key=lambda run: run[1])
    firsts = [run for run in ordered if run[0] == "first"]
    found: list[float] = []
    for number, (_, created, _) in enumerate(firsts):
        until = firsts[number + 1][1] if number + 1 < len(firsts) else datetime.max.replace(tzinfo=UTC)
        ends = [end for job, made, end in ordered if job == "second" and created < made < until]
        if ends:
            found.append((min(ends) - created.replace(second=0, microsecond=0)).total_seconds())
    return found


def _runs(folder: Path) -> list[Run]:
    database = folder / "history" / "runs.db"
    if not database.exists():
        return []
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as connection:
            rows = connection.execute(_RUNS).fetchall()
    except sqlite3.OperationalError:
        return []  # The daemon is making its tables.
    return [(job, _utc(made), datetime.fromtimestamp(end, UTC)) for job, made, end in rows if end]


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@contextmanager
def _daemon(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    (folder / "dagster.yaml").write_text(_CONFIGURATION)
    command = [sys.executable, "-c", "from dagster._daemon.cli import main; main()", "run", "-f", str(DEFINITIONS)]
    environ = {**environment_without_stack(), "DAGSTER_HOME": str(folder)}
    with (folder / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(  # noqa: S603  (our own command)
            command, env=environ, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield daemon
    finally:
        _end(daemon)


def _end(daemon: subprocess.Popen[bytes]) -> None:
    if daemon.poll() is None:
        daemon.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(30)
    with suppress(ProcessLookupError):
        # Its session is its own: code server and runs under way go with it.
        os.killpg(daemon.pid, signal.SIGKILL)
    daemon.wait()
