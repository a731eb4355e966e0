"""Settings of storage, processes and the UI."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from trade_pipeline.settings.base import Section
from trade_pipeline.settings.trading import StopPolicy


class StorageSettings(Section):
    lake_url: str | None = None
    """Folder or object-storage URL of the lake; default: `lake/` in the home."""
    ledger_url: SecretStr | None = None
    """postgresql+psycopg2:// URL; default: the embedded server in the home."""
    compact_after_files: int = Field(96, ge=8, le=10_000)
    """Small files in one day of a lake table beyond which they are merged."""
    coarse_lengths_s: tuple[Annotated[int, Field(gt=60, le=86_400)], ...] = (300, 900, 3600, 14_400, 86_400)
    """Lengths of the coarser bars that are kept of each day that is over; each a multiple of 60 that divides a day."""
    repair_days: int = Field(30, ge=1, le=400)
    """Past days in which holes are looked for every hour, fetched again and computed again."""
    versions_kept_hours: int = Field(168, ge=1, le=87_600)
    """How long Delta's own time travel, by version number, goes back. Rows as they were seen are kept for good."""

    @field_validator("coarse_lengths_s")
    @classmethod
    def _lengths_divide_a_day(cls, lengths: tuple[int, ...]) -> tuple[int, ...]:
        wrong = [length for length in lengths if length % 60 or 86_400 % length]
        if wrong:
            raise ValueError(f"{wrong} are no multiples of 60 s that divide a day")
        return lengths


class RuntimeSettings(Section):
    ui_port: int = Field(3000, ge=0, le=65535)
    """TCP port of the UI on 127.0.0.1; 0 takes any free one."""
    ui_address: str = "127.0.0.1"
    """Address that the UI listens on; another than the loopback belongs behind a proxy with TLS."""
    ui_names: tuple[str, ...] = ()
    """Further host names under which the UI may be opened; every other name is refused."""
    ui_read_only_port: int | None = Field(None, ge=0, le=65535)
    """TCP port of a second UI that shows everything and changes nothing; null: none."""
    ui_token_in_sim: bool = False
    """Ask for the UI's token in sim mode too; elsewhere it is always asked for."""
    broker_url: SecretStr | None = None
    """redis:// URL; default: the embedded server in the home."""
    worker_tasks_max: int = Field(500, ge=1, le=1_000_000)
    """Runs after which a worker child is replaced."""
    worker_memory_mb_max: int = Field(1000, ge=300, le=1_000_000)
    """Memory beyond which a worker child is replaced when its run is over."""
    runs_kept_days: int = Field(7, ge=2, le=3650)
    """Age beyond which the night removes Dagster's runs with their events, checks and logs; the ledger stays."""
    prune_s_max: float = Field(900.0, ge=1, le=3000)
    """How long a night may remove runs; what is left over goes the next night."""
    process_log_mb: int = Field(10, ge=1, le=1024)
    """Size at which the log of a process begins anew."""
    process_logs_kept: int = Field(3, ge=1, le=100)
    """Earlier logs that are kept of each process."""
    stop_policy: StopPolicy = "keep"
    """What Ctrl-C and `down` do with what is open on the exchange."""
    stop_timeout_s: float = Field(20.0, ge=1, le=600)
