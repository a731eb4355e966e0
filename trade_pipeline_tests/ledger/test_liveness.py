"""Connections that are looked at instead of asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text

from trade_pipeline.ledger.database import Database
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.liveness import is_closed

END_THE_OTHERS = text(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"  # returns once they are gone
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
def other(ledger_url: str) -> Iterator[Engine]:
    """Somebody else's connections to the same database."""
    engine = create_engine(ledger_url)
    yield engine
    engine.dispose()


def driver_of(database: Database) -> Any:
    with database.reading() as connection:
        return connection.connection.dbapi_connection


def test_a_connection_that_is_well_is_used_again(ledger_url: str) -> None:
    database = Database(ledger_url)
    assert driver_of(database) is driver_of(database)
    assert not is_closed(driver_of(database))
    database.close()


def test_a_connection_that_the_server_ended_is_seen_without_a_question(ledger_url: str, other: Engine) -> None:
    database = Database(ledger_url)
    before = driver_of(database)
    with other.begin() as connection:
        connection.execute(END_THE_OTHERS)

    assert is_closed(before)
    assert driver_of(database) is not before
    with database.transaction() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    database.close()


def test_a_read_is_one_statement_and_leaves_no_transaction(ledger: Ledger) -> None:
    ledger.breakers("main")
    database = ledger._database
    driver = driver_of(database)
    sent: list[str] = []
    event.listen(database.engine(), "before_cursor_execute", lambda *found: sent.append(found[2]))

    ledger.breakers("main")

    assert len(sent) == 1
    assert driver.info.transaction_status == 0, "idle"
    assert driver.autocommit is False, "what writes next begins a transaction"


def test_a_refused_read_leaves_a_connection_that_writes(ledger: Ledger) -> None:
    database = ledger._database
    with pytest.raises(Exception, match="no_such_table"), database.reading() as connection:
        connection.execute(text("SELECT * FROM no_such_table"))

    ledger.heartbeat("guard")
    assert [beat.process for beat in ledger.heartbeats()] == ["guard"]
