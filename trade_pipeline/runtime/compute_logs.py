"""Dagster's compute logs without secrets: what steps print can be downloaded from the UI.

What Python prints is redacted before it is written. What a library of C writes to the descriptor itself comes past
that, so the captured files are cleaned once more when the step ends.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._serdes import ConfigurableClassData

from trade_pipeline import redaction

CLEANED_BYTES_MAX = 64 * 1024 * 1024
"""A larger file is emptied rather than read: nothing that long is a log of ours."""


class RedactingComputeLogManager(LocalComputeLogManager):
    """LocalComputeLogManager whose finished files hold no secret of this process."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> RedactingComputeLogManager:
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext, None, None]:
        try:
            with super().capture_logs(log_key) as captured:
                yield captured
        finally:
            for extension in ("out", "err"):
                clean_file(Path(self.get_captured_local_path(log_key, extension)))


def clean_file(path: Path) -> None:
    """Replaces secrets in a file of text by asterisks, in place: readers keep their positions."""
    try:
        size = path.stat().st_size
    except OSError:
        return
    if size > CLEANED_BYTES_MAX:
        os.truncate(path, 0)
        return
    body = path.read_bytes()
    clean = redaction.current().same_length(body)
    if clean != body:
        with path.open("r+b") as file:
            file.write(clean)
