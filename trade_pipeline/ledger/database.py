"""One engine per process, one transaction per call, and the driver's failures in our words. No SQL of the ledger."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from trade_pipeline.errors import LedgerError, LedgerUnavailable, SettingsError
from trade_pipeline.ledger.liveness import look_before_use

DRIVER = "postgresql+psycopg2"
CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_MS = 10_000
LOCK_TIMEOUT_MS = 5_000


def ledger_url(url: str) -> URL:
    """The URL with the driver named.

    A bare postgresql:// is rewritten: SQLAlchemy 2.1 would take psycopg 3 for it, which dagster-postgres cannot use.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SettingsError(
            "is no database URL", thing="ledger_url", repair=f"Write {DRIVER}://USER:PASSWORD@HOST/DATABASE."
        ) from error
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername=DRIVER)
    if parsed.drivername != DRIVER:
        raise SettingsError(
            "the ledger needs PostgreSQL through psycopg2",
            thing="ledger_url",
            value=parsed.drivername,
            repair=f"Write {DRIVER}://USER:PASSWORD@HOST/DATABASE.",
        )
    return parsed


class Database:
    """A lazily made engine of this process. A child after fork() makes its own and leaves the parent's alone."""

    def __init__(
        self, url: str, *, watch: Callable[[str], None] | None = None, connections: Database | None = None
    ) -> None:
        """`watch` hears "before_commit" (raising there rolls back) and "after_commit" of everything that writes.

        `connections` is another one whose connections serve this one too.
        """
        self._lender = connections
        self._url = ledger_url(url)
        self._watch = watch
        self._engine: Engine | None = None
        self._process_id: int | None = None

    @property
    def shown(self) -> str:
        """Where the server is, without the password."""
        return f"{self._url.query.get('host') or self._url.host or 'local'}/{self._url.database}"

    def engine(self) -> Engine:
        if self._lender is not None:
            return self._lender.engine()
        if self._engine is not None and self._process_id != os.getpid():
            # The sockets belong to the parent: forget them without closing them.
            self._engine.dispose(close=False)
            self._engine = None
        if self._engine is None:
            self._engine = create_engine(
                self._url,
                pool_size=2,
                max_overflow=6,
                pool_timeout=CONNECT_TIMEOUT_S,
                connect_args={
                    "connect_timeout": CONNECT_TIMEOUT_S,
                    "application_name": "trade-pipeline",
                    "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS}"
                    " -c timezone=UTC",
                },
            )
            look_before_use(self._engine)
            self._process_id = os.getpid()
        return self._engine

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction that writes: commits at the end, rolls back on any exception."""
        with self.mapped_errors():
            with self.engine().begin() as connection:
                yield connection
                if self._watch is not None:
                    self._watch("before_commit")
            if self._watch is not None:
                self._watch("after_commit")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """For one statement that only reads: autocommit, so that it costs one round trip and not three."""
        with self.mapped_errors(), self.reader().connect() as connection, _each_for_itself(connection):
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One view of everything, which reads only: it takes no lock that a writer could wait for."""
        engine = self.engine().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with self.mapped_errors(), engine.connect() as connection, connection.begin():
            yield connection

    def reader(self) -> Engine:
        return self.engine() if self._lender is None else self._lender.reader()

    @contextmanager
    def mapped_errors(self) -> Iterator[None]:
        """SQLAlchemy's exceptions as ours; IntegrityError passes, because only the caller knows what it means."""
        try:
            yield
        except IntegrityError:
            raise
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise self._unavailable(error) from error
        except ProgrammingError as error:
            raise LedgerError(
                f"the database refused a statement: {_first_line(error)}",
                thing=f"ledger {self.shown}",
                repair="If its tables are missing or old, run `trade-pipeline up`, which migrates them.",
            ) from error
        except SQLAlchemyError as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise self._unavailable(error) from error
            raise LedgerError(_first_line(error), thing=f"ledger {self.shown}") from error

    def _unavailable(self, error: Exception) -> LedgerUnavailable:
        return LedgerUnavailable(
            f"the database does not answer: {_first_line(error)}",
            thing=f"ledger {self.shown}",
            repair="Start the server (`trade-pipeline up` starts the embedded one) or correct the ledger's URL.",
        )

    def close(self) -> None:
        if self._engine is not None and self._process_id == os.getpid():
            self._engine.dispose()
        self._engine = None


@contextmanager
def _each_for_itself(connection: Connection) -> Iterator[None]:
    """Statements without a transaction around them.

    The driver's own switch: SQLAlchemy's isolation level would be told to the server before and after each use.
    """
    driver: Any = connection.connection.dbapi_connection
    before = driver.autocommit
    driver.autocommit = True
    try:
        yield
    finally:
        if not driver.closed:
            driver.autocommit = before


def _first_line(error: Exception) -> str:
    # SQLAlchemy appends the statement and its values; the first line is what the server said.
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(error).__name__
