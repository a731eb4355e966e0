"""A clock that runs on like the wall's and can be put forward, shared by the processes that know its file."""

from __future__ import annotations

import mmap
import struct
import time
from datetime import UTC, datetime
from pathlib import Path

_OFFSET = struct.Struct("<q")


class VirtualClock:
    """The wall's time and an offset of whole milliseconds, which one process writes and any number read."""

    def __init__(self, path: Path) -> None:
        """A file that is not there yet stands for the wall's own time."""
        if not path.exists():
            path.write_bytes(_OFFSET.pack(0))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _OFFSET.size)

    def now_ms(self) -> int:
        (offset_ms,) = _OFFSET.unpack_from(self._shared)
        return time.time_ns() // 1_000_000 + int(offset_ms)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC)

    def put_to(self, moment: datetime) -> None:
        """From here on it runs from `moment`. One aligned word is written: a reader sees the old or the new one."""
        _OFFSET.pack_into(self._shared, 0, round(moment.timestamp() * 1000) - time.time_ns() // 1_000_000)
