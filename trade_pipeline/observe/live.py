"""What `up` shows while the stack runs: a view that refreshes in a terminal, one line per change elsewhere."""

from __future__ import annotations

from collections import deque
from types import TracebackType

from rich.console import Console
from rich.live import Live

from trade_pipeline.observe.render import line, panel
from trade_pipeline.observe.values import Status

_NOTES_MAX = 50


class View:
    """Notes before the first status are printed as they come; afterwards they stand below the status."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._notes: deque[str] = deque(maxlen=_NOTES_MAX)
        self._live: Live | None = None
        self._last_line = ""
        self._showing = False

    def note(self, text: str) -> None:
        self._notes.append(text)
        if self._live is None:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def show(self, status: Status) -> None:
        if self._console.is_terminal:
            if self._live is None:
                self._notes.clear()
                self._live = Live(console=self._console, auto_refresh=False, transient=False)
                self._live.start()
            self._live.update(panel(status, tuple(self._notes)), refresh=True)
        elif (text := line(status)) != self._last_line:
            self._last_line = text
            self._console.print(f"{status.at:%H:%M:%S} {text}", highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Leaves the last view on the screen; what follows is printed below it."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __enter__(self) -> View:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
