"""Looks for secrets in every place where a stack leaves something: files, databases, command lines, answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
from sqlalchemy import create_engine, text

from trade_pipeline.redaction import forms_of
from trade_pipeline.settings.home import Home

TABLES = """SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"""


class Canaries:
    """The values that must be found nowhere, in all their forms."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = [form.encode() for secret in secrets for form in forms_of(secret)]
        assert self._forms, "without a secret nothing can be found"

    def within(self, body: bytes) -> bool:
        return any(form in body for form in self._forms)

    def in_files(self, home: Home) -> list[str]:
        """Every file below the home but the one that keeps the secrets."""
        return [str(path) for path in _files(home.root) if path != home.secrets and self.within(_read(path))]

    def in_database(self, ledger_url: str) -> list[str]:
        """Every row of every table: the ledger's and Dagster's are in one database."""
        engine = create_engine(ledger_url)
        with engine.connect() as connection:
            names = [row[0] for row in connection.execute(text(TABLES))]
            found = [name for name in names if any(self.within(row) for row in _rows(connection, name))]
        engine.dispose()
        assert {"ledger.orders", "ledger.events", "public.runs", "public.event_logs"} <= set(names), names
        return found

    def in_command_lines(self) -> list[str]:
        found = []
        for process in psutil.process_iter():
            try:
                if self.within("\0".join(process.cmdline()).encode()):
                    found.append(f"{process.name()} ({process.pid})")
            except psutil.Error:
                continue
        return found


def _files(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it was rotated away meanwhile
        return b""


def _rows(connection: object, table: str) -> Iterator[bytes]:
    rows = connection.execute(text(f"SELECT t::text FROM {table} t"))  # type: ignore[attr-defined]  # a Connection
    return (str(row[0]).encode() for row in rows)
