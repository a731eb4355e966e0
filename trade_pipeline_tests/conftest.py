"""Fixtures that every room may use: a PostgreSQL server and a fresh ledger in it.

The server is an embedded one, gone at the end, or a stock one at TRADE_PIPELINE_TEST_POSTGRES_URL; the tests are
the same. Each test's ledger is a database of its own, copied from a migrated one.
"""

from __future__ import annotations

import gc
import os
import secrets
import signal
import sys
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.runtime import embedded_postgres
from trade_pipeline.runtime.throwaway_postgres import throwaway_server
from trade_pipeline_tests import order

STOCK_SERVER = "TRADE_PIPELINE_TEST_POSTGRES_URL"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: computes for long; begins first, beside what waits")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What tests import stays for good: collections of garbage looked through it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = order.ordered(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadscope` keeps together what shares a stack."""
    return order.ByStack(config, log) if config.getoption("dist") == "loadscope" else None


@pytest.fixture(autouse=True)
def ordinary_signals() -> Iterator[None]:
    """Servers that a test runs in this process leave signals ignored: children of a later test would never end."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def nobodys_dagster() -> Iterator[None]:
    """Contexts made in a test enter an instance and never leave it: definitions of a later test would ask one that is
    gone, as soon as it is collected."""
    if "dagster" not in sys.modules:
        yield
        return
    from dagster._core.storage.defs_state.base import set_defs_state_storage

    with set_defs_state_storage(None):
        yield


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a server whose role may create databases; its database name is a new one of this test process."""
    name = f"test_{os.getpid()}_{secrets.token_hex(3)}"
    given = os.environ.get(STOCK_SERVER)
    if given:
        yield make_url(given).set(database=name).render_as_string(hide_password=False)
        return
    # Nothing is synced: that is for machines that lose power, and a test that is about it starts a server of its own.
    with throwaway_server(name) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_url(postgres_url: str) -> Iterator[str]:
    """A migrated database that nobody writes to: what `ledger_url` copies."""
    embedded_postgres.create_database(postgres_url)
    ledger = Ledger(postgres_url)
    ledger.migrate()
    ledger.close()  # a template must have no connection
    yield postgres_url
    embedded_postgres.drop_database(postgres_url)


@pytest.fixture(scope="session")
def databases(migrated_url: str) -> Iterator[Engine]:
    """Makes and drops databases over one connection: a new one each time costs as much as the database."""
    url = make_url(migrated_url).set(database="postgres")
    engine = create_engine(url, isolation_level="AUTOCOMMIT", pool_size=1, pool_pre_ping=True)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger_url(migrated_url: str, databases: Engine) -> Iterator[str]:
    """URL of an empty, migrated database of this test's own."""
    template = make_url(migrated_url).database
    url = make_url(migrated_url).set(database=f"{template}_{secrets.token_hex(4)}")
    # Copying files writes them out first: quick on our own server, which syncs nothing.
    strategy = "" if os.environ.get(STOCK_SERVER) else "STRATEGY file_copy"
    with databases.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{url.database}" TEMPLATE "{template}" {strategy}'))
    yield url.render_as_string(hide_password=False)
    with databases.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{url.database}" WITH (FORCE)'))


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """An empty ledger on the wall clock."""
    book = Ledger(ledger_url)
    yield book
    book.close()
