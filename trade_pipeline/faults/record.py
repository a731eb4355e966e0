"""What came of each seed, one JSON line each: a campaign that was cut goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from trade_pipeline.faults.oracle import Violation
from trade_pipeline.faults.play import Played


class Record:
    """A file that is only appended to. The code that plays must be the same throughout: nobody checks that here."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, seeds: Sequence[int]) -> Iterator[Played]:
        """What is there of `seeds`, each once. A line that was cut off in the middle is left out."""
        wanted = set(seeds)
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        for line in lines:
            with suppress(ValueError):
                found = json.loads(line)
                if found["seed"] in wanted:
                    wanted.remove(found["seed"])
                    yield _played(found)

    def add(self, played: Played) -> None:
        """Append one line; what the play passed and its trace are left out."""
        kept = {name: value for name, value in asdict(played).items() if name not in {"trace", "points"}}
        with self._path.open("a+b") as file:
            file.seek(max(0, file.tell() - 1))
            # What was cut off in the middle of a line must not spoil this one.
            ended = file.read() in {b"", b"\n"}
            file.write((("" if ended else "\n") + json.dumps(kept) + "\n").encode())


def _played(found: dict[str, object]) -> Played:
    violations = found.pop("violations")
    assert isinstance(violations, list)
    return Played(points={}, trace=(), violations=tuple(Violation(**each) for each in violations), **found)  # type: ignore[arg-type]  # as it was written
