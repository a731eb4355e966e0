"""supervisord, whose process logs hold no secret. Run as `python -m trade_pipeline.runtime.supervisord -n -c FILE`.

Our own processes redact what they say, but not what a library of C or a server that is not ours writes. All of it
comes through the supervisor, which writes the logs: there it is redacted once more, line by line.
"""

from __future__ import annotations

from typing import Any

from supervisor.dispatchers import POutputDispatcher
from supervisor.supervisord import main as run_supervisor

from trade_pipeline import redaction
from trade_pipeline.settings.protect import protect_from_environment

_LINE_BYTES_MAX = 64 * 1024


class CleanOutput(POutputDispatcher):  # type: ignore[misc]  # supervisor ships no types
    """Holds back a part of a line until its end, so that no secret is cut in two by a read."""

    output_buffer: bytes

    def record_output(self) -> None:
        whole, newline, rest = self.output_buffer.rpartition(b"\n")
        if len(rest) > _LINE_BYTES_MAX:
            whole, newline, rest = self.output_buffer, b"", b""
        self.output_buffer = rest
        self._log(redaction.current().same_length(whole + newline))

    def close(self) -> None:
        left, self.output_buffer = self.output_buffer, b""
        self._log(redaction.current().same_length(left))
        super().close()


def install() -> None:
    """Every process that is configured from now on writes through `CleanOutput`."""
    import supervisor.dispatchers

    # The options look the class up by its module when a process is made; there is no setting for it.
    dispatchers: Any = supervisor.dispatchers
    dispatchers.POutputDispatcher = CleanOutput


if __name__ == "__main__":
    protect_from_environment(databases=False)
    install()
    run_supervisor()
