"""Where a stack keeps its files: every path below the home is named here and nowhere else."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one stack. Paths only: nothing is created here."""

    root: Path

    @classmethod
    def at(cls, path: Path | str) -> Home:
        return cls(Path(path).expanduser().resolve())

    def beat_file(self, process: str) -> Path:
        """Touched by a process that answers on no socket, as long as its loop goes round."""
        return self.root / "run" / f"{process}.beat"

    @property
    def sockets(self) -> Path:
        """Unix sockets of the stack. A socket path longer than 107 bytes is cut without a word, and a home
        may be deep: so they live in a short folder of the temporary directory that the home determines."""
        digest = hashlib.blake2b(str(self.root).encode(), digest_size=5).hexdigest()
        return Path(tempfile.gettempdir()) / f"tp-{os.getuid()}-{digest}"

    @property
    def lock(self) -> Path:
        return self.root / "up.lock"

    @property
    def stack(self) -> Path:
        """stack.json: URLs, ports and process list of the running stack."""
        return self.root / "stack.json"

    @property
    def secrets(self) -> Path:
        """secrets.env, mode 0600: keys and passwords that `up` made; never logged, never shown."""
        return self.root / "secrets.env"

    @property
    def settings_in_force(self) -> Path:
        """settings.json as `up` resolved them, without secrets: what every process of the stack reads."""
        return self.root / "settings.json"

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def audit(self) -> Path:
        """audit/: what Great Expectations keeps, and its pages in audit/data_docs."""
        return self.root / "audit"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def redis(self) -> Path:
        return self.root / "redis"

    @property
    def dagster(self) -> Path:
        """Compute logs and local artifacts of Dagster."""
        return self.root / "dagster"

    @property
    def exchange(self) -> Path:
        """State of the simulated exchange."""
        return self.root / "exchange"

    @property
    def control(self) -> Path:
        return self.root / "control"

    @property
    def pause(self) -> Path:
        """control/pause.json: while it exists, nothing that increases exposure is sent."""
        return self.control / "pause.json"

    @property
    def positions(self) -> Path:
        """control/positions.json: the guard's last view of managed positions, for `flatten` without a database."""
        return self.control / "positions.json"

    @property
    def source_figures(self) -> Path:
        """sources/figures.sqlite: how reliable the sources of data were, counted by every process."""
        return self.root / "sources" / "figures.sqlite"

    @property
    def budgets(self) -> Path:
        """budgets/: how much of each exchange's request limit the processes of this home have used."""
        return self.root / "budgets"

    @property
    def journal(self) -> Path:
        """journal/: orders that `flatten` sent without the ledger, one JSON line each, booked by the guard later."""
        return self.root / "journal"
