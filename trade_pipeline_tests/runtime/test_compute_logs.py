"""What a step prints can be downloaded from the UI: without secrets, whatever wrote it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trade_pipeline import redaction
from trade_pipeline.redaction import Redactor
from trade_pipeline.runtime import compute_logs
from trade_pipeline.runtime.compute_logs import RedactingComputeLogManager, clean_file

SECRET = "hunter2hunter2"


@pytest.fixture(autouse=True)
def redactor() -> Iterator[None]:
    before = redaction.current()
    redaction.use(Redactor([SECRET]))
    yield
    redaction.use(before)


@pytest.fixture
def ordinary_signals() -> Iterator[None]:
    """Dagster ends its `tail` by SIGTERM, which a child of a process that ignores it would ignore too."""
    handler = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.usefixtures("ordinary_signals")
def test_what_comes_past_python_is_cleaned_when_the_step_ends(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    manager = RedactingComputeLogManager(str(tmp_path))
    with capfd.disabled(), manager.capture_logs(["run", "step"]):
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"said {SECRET}\n".encode())
    text = "".join(path.read_text() for path in tmp_path.rglob("*.err"))
    assert SECRET not in text
    assert "said **************" in text


def test_a_file_too_large_to_read_is_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.out"
    path.write_text(SECRET * 10)
    monkeypatch.setattr(compute_logs, "CLEANED_BYTES_MAX", 50)
    clean_file(path)
    assert path.read_bytes() == b""
    clean_file(tmp_path / "missing.out")
