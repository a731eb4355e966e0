"""One stack per home: a lock that the kernel gives back when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from types import TracebackType

from trade_pipeline.errors import ConfigurationError, HomeInUse
from trade_pipeline.settings.home import Home


class HomeLock:
    """Held from `acquire` to `release`. Children do not inherit it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._descriptor: int | None = None

    def acquire(self) -> HomeLock:
        """Raises HomeInUse with the holder's process id, ConfigurationError when the home cannot be written."""
        try:
            self._home.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"the home cannot be written ({error.strerror})",
                thing=str(self._home.root),
                repair="Name a folder that you own with --home.",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise HomeInUse(
                f"another stack runs in this home (process {holder or 'unknown'})",
                thing=str(self._home.root),
                repair="Stop it with `trade-pipeline down`, or name another home with --home.",
            ) from error
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return self

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> HomeLock:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder_of(home: Home) -> int | None:
    """Process id of who holds the home's lock; None when nobody does."""
    try:
        descriptor = os.open(home.lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(descriptor, 32).decode(errors="replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None
