"""Where seeds are played: a database, a reader of the judge's own, a folder."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from trade_pipeline.faults.database import held_connections
from trade_pipeline.faults.oracle import BookReader
from trade_pipeline.faults.play import Play, Played
from trade_pipeline.faults.scenario import Scenario
from trade_pipeline.faults.simulation import Simulation
from trade_pipeline.ledger.ledger import Ledger


@dataclass
class Stage:
    """Where seeds are played: a database, a reader of the judge's own, a folder."""

    ledger_url: str
    connections: Ledger
    reader: BookReader
    folder: Path
    played: int = 0
    token: str = field(default_factory=lambda: secrets.token_hex(4))
    """Accounts of earlier invocations may be in the database still."""

    @classmethod
    def at(cls, ledger_url: str, folder: Path | None = None) -> Stage:
        return cls(
            ledger_url,
            held_connections(ledger_url),
            BookReader(ledger_url),
            folder or Path(tempfile.mkdtemp(prefix="tp-faults-", dir=room())),
        )

    def close(self) -> None:
        self.connections.close()
        self.reader.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def play(self, scenario: Scenario) -> Played:
        """Play a scenario from its beginning to its end, under an account of its own."""
        self.played += 1
        account = f"f{self.token}-{self.played}"
        home = self.folder / account
        simulation = Simulation(scenario, account, self.ledger_url, self.connections, self.reader, home)
        return Play(simulation).all()


def room() -> Path | None:
    """Where homes that do not last are made: in memory where that is possible."""
    memory = Path("/dev/shm")  # noqa: S108  the folders in it are private
    return memory if memory.is_dir() else None
