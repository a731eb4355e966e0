"""Brings the ledger's tables to the newest revision. Users need no alembic.ini; several starters may run it at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from trade_pipeline.ledger.tables import SCHEMA

MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK_KEY = 0x7472616465  # "trade" in ASCII: any fixed number that nobody else locks


def alembic_config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(connection: Connection) -> None:
    """Create the schema and run missing migrations, all in the connection's transaction.

    The advisory lock makes a second starter wait for the first, whose work it then finds done.
    """
    connection.execute(text("SET LOCAL lock_timeout = '60s'"))
    connection.execute(text("SET LOCAL statement_timeout = '60s'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    command.upgrade(alembic_config(connection), "head")
