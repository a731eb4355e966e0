"""The schema, the driver's failures, and processes that fork."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url, text

from trade_pipeline.errors import LedgerError, LedgerUnavailable, SettingsError
from trade_pipeline.ledger.database import Database
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.tables import SCHEMA, metadata
from trade_pipeline.runtime import embedded_postgres


@pytest.fixture
def empty_url(postgres_url: str) -> Iterator[str]:
    """A database without a schema."""
    url = make_url(postgres_url).set(database=f"empty_{secrets.token_hex(4)}").render_as_string(hide_password=False)
    embedded_postgres.create_database(url)
    yield url
    embedded_postgres.drop_database(url)


def test_starters_that_migrate_at_once_and_again_all_succeed(empty_url: str) -> None:
    ledgers = [Ledger(empty_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda ledger: ledger.migrate(), ledgers))
    ledgers[0].migrate()

    assert ledgers[0].newest_decision("main") is None
    for ledger in ledgers:
        ledger.close()


def test_the_migrations_make_the_tables_that_the_code_knows(ledger_url: str) -> None:
    engine = create_engine(ledger_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table_schema": SCHEMA,
                "version_table": "schema_revision",
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
            },
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_ledger_leaves_the_public_schema_to_dagster(ledger_url: str) -> None:
    engine = create_engine(ledger_url)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"))
        assert found.scalar_one() == 0
    engine.dispose()


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    ledger = Ledger("postgresql+psycopg2://user:hunter2@127.0.0.1:1/nothing")

    with pytest.raises(LedgerUnavailable) as caught:
        ledger.ping()

    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1/nothing" in str(caught.value)
    assert caught.value.repair


def test_a_server_that_never_answers_is_given_up_after_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        ledger = Ledger(f"postgresql+psycopg2://user:pw@127.0.0.1:{deaf.getsockname()[1]}/db")
        begin = time.monotonic()
        with pytest.raises(LedgerUnavailable):
            ledger.ping()
    assert time.monotonic() - begin < 8


def test_a_database_without_tables_says_what_to_do(empty_url: str) -> None:
    ledger = Ledger(empty_url)
    with pytest.raises(LedgerError, match="trade-pipeline up"):
        ledger.newest_decision("main")
    ledger.close()


@pytest.mark.parametrize("url", ["postgresql://u:p@h/d", "postgres://u:p@h/d"])
def test_a_bare_url_gets_the_driver_that_dagster_needs(url: str) -> None:
    assert Database(url).engine().dialect.driver == "psycopg2"


@pytest.mark.parametrize("url", ["sqlite:///x", "postgresql+psycopg://u:p@h/d", "no url"])
def test_another_driver_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        Ledger(url)


def test_a_connection_that_died_is_replaced(ledger: Ledger, ledger_url: str) -> None:
    ledger.ping()
    engine = create_engine(ledger_url)
    with engine.connect() as connection:
        connection.execute(
            text(
                # With its time to wait: without one the server is only told to end the connection, some time soon.
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    engine.dispose()

    ledger.ping()


def test_a_child_after_a_fork_has_connections_of_its_own(ledger: Ledger) -> None:
    ledger.heartbeat("parent")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            ledger.heartbeat("child")
            ledger.close()
            code = 0
        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    ledger.heartbeat("parent")
    assert [beat.process for beat in ledger.heartbeats()] == ["child", "parent"]


def test_threads_share_a_ledger(ledger: Ledger) -> None:
    threads = [threading.Thread(target=ledger.heartbeat, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ledger.heartbeats()) == 8
