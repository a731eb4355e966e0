"""A few bytes that all processes of a machine change in turns: a small file, locked for the microseconds of an entry.

It needs no broker and no database: the exit guard counts here while both are down. What the bytes mean belongs to the
budgets.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOGGER = logging.getLogger(__name__)

LOCK_S_MAX = 0.02
LOCK_POLL_S = 0.0005


class LockedPage:
    """Opened at first use and anew after a fork; safe from any thread. Without a path each process has its own."""

    def __init__(self, path: Path | None, empty: bytes, magic: bytes) -> None:
        """`empty` is the content of a new page and begins with `magic`, by which its own kind is known."""
        self._path = path
        self._empty = empty
        self._magic = magic
        self._pid = -1
        self._lock = threading.Lock()
        self._file = -1
        self._own = bytearray(empty)
        """What this process knew last, for when the file cannot be used."""
        self._told = False

    @contextmanager
    def locked(self) -> Iterator[bytearray]:
        """The content, ours alone for the moment, written back where it was changed.

        Never waits long: whoever holds the lock may have been frozen, and an exit must go out. Then, and where the
        file cannot be used (a full disk), this process counts for itself.
        """
        if self._pid != os.getpid():
            # flock does not part a child from its parent, nor threads.
            self._pid, self._lock, self._file = os.getpid(), threading.Lock(), -1
        with self._lock:
            file = self._claimed()
            page = self._read(file)
            before = bytes(page)
            try:
                yield page
            finally:
                self._own = page
                if file >= 0:
                    if page != before:
                        self._write(file, page)
                    fcntl.flock(file, fcntl.LOCK_UN)

    def _claimed(self) -> int:
        """The open and locked file, -1 where it cannot be had in time."""
        if self._path is None:
            return -1
        try:
            if self._file < 0:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._tell(error)
            return -1
        deadline = time.monotonic() + LOCK_S_MAX
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if time.monotonic() >= deadline:
                    self._tell(error)
                    return -1
                time.sleep(LOCK_POLL_S)
            else:
                return self._file

    def _read(self, file: int) -> bytearray:
        try:
            found = bytearray(os.pread(file, len(self._empty), 0)) if file >= 0 else self._own
        except OSError as error:
            self._tell(error)
            found = self._own
        usable = len(found) == len(self._empty) and found.startswith(self._magic)
        return found if usable else bytearray(self._empty)

    def _write(self, file: int, page: bytearray) -> None:
        try:
            os.pwrite(file, page, 0)
        except OSError as error:
            self._tell(error)

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            LOGGER.warning("the shared budget cannot be used, this process counts for itself: %s", error)
