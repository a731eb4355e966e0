"""A soak in compressed time: thousands of bars in an hour or two, by a process of its own under a virtual clock.

The process is `trade_pipeline.measured.soak`, which says what is in it and what is not. Each sample is a line of a file
as soon as it is taken, so a run that was cut is still told.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from trade_pipeline.bench.own_stack import environment_without_stack
from trade_pipeline.bench.soak import Sample, Soak
from trade_pipeline.errors import DataError
from trade_pipeline.runtime.environment import ALLOCATION, ALLOCATOR

WORKER = "trade_pipeline.measured.soak"
STEP_MINUTES = 5
"""Virtual minutes from one decision to the next: more midnights are crossed, and each decision reads more bars."""


def measure_compressed(bars: int, symbols: int, record: Path | None, tell: Callable[[str], None]) -> Soak:
    """Runs it to its end and keeps the samples in `record` if one is named. Raises DataError where none was taken."""
    folder = Path(tempfile.mkdtemp(prefix="trade-pipeline-soak-"))
    record = record or folder / "samples.jsonl"
    numbers = [str(bars), str(STEP_MINUTES), str(symbols)]
    command = [sys.executable, "-m", WORKER, str(folder / "home"), str(record), *numbers]
    # As a stack's processes have it.
    environ = {**environment_without_stack(), ALLOCATOR: os.environ.get(ALLOCATOR, ALLOCATION)}
    try:
        with (
            (folder / "log").open("w") as log,
            subprocess.Popen(  # noqa: S603  our own module, no shell
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=environ
            ) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("bar "):
                    tell(line.rstrip())
        return recorded_soak(record)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def recorded_soak(record: Path) -> Soak:
    """What a record tells, also that of a run that was cut or is still going on. Raises DataError for an empty one."""
    lines = record.read_text().splitlines() if record.exists() else []
    samples = [Sample(**json.loads(line)) for line in lines if line.endswith("}")]
    if len(samples) < 2:
        raise DataError(
            f"{len(samples)} samples are no soak", thing=str(record), repair="Let it run for more bars, at least 20."
        )
    assert all(datetime.fromisoformat(one.at) for one in samples)
    return Soak(samples)
