"""Of every table that is chained a row removed, and two rows swapped, are named; so is what an older ledger held."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from alembic import command
from sqlalchemy import Index, Table, UniqueConstraint, create_engine, text

from trade_pipeline.ledger.chain_tables import CHAINED
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.migrate import alembic_config
from trade_pipeline.ledger.records import Lock
from trade_pipeline.ledger.tables import metadata
from trade_pipeline_tests.fakes import START, make_decision, make_snapshot, make_target
from trade_pipeline_tests.ledger.flow import buy, opening
from trade_pipeline_tests.ledger.test_database import empty_url
from trade_pipeline_tests.ledger.test_verify_notes import BREAKER, behind_the_back, found, point
from trade_pipeline_tests.ledger.test_watching import CONFLICT, VERDICT

__all__ = ["empty_url"]


@pytest.fixture
def full(ledger: Ledger) -> Ledger:
    """At least two different rows in every chained table."""
    ledger.record_opening("main", opening(USDT="1000", BTC="1"))
    for number in (1, 2):
        named = str(number) * 32
        decision = make_decision(named, snapshot_id=f"snapshot-{number}", run_id=f"run-{number}")
        snapshot = replace(make_snapshot(f"snapshot-{number}"), quote_free=Decimal(number))
        ledger.record_decision(decision, snapshot, [make_target(named, quantity=Decimal(number))])
        ledger.claim(named, "execute", f"run-{number}")
        ledger.record_outcome(named, "execute", f"done {number}")
        buy(ledger, number, str(number), "100")
        ledger.set_breaker(replace(BREAKER, scope=f"S{number}/USDT"))
        ledger.record_conflict(replace(CONFLICT, conflict_id=f"c{number}"))
        ledger.record_verdicts([replace(VERDICT, guard=f"guard {number}")])
        ledger.record_equity(point(number))
        ledger.lock(Lock("main", "trend", f"S{number}/USDT", "protective exit", START))
        ledger.unlock("main", "trend", f"S{number}/USDT")
    assert ledger.verify().findings == ()
    return ledger


def two_keys(url: str, table: str) -> tuple[str, str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        query = f"SELECT {CHAINED[table]} AS named FROM ledger.{table} r ORDER BY 1"
        keys = [row.named for row in connection.execute(text(query))]
    engine.dispose()
    return keys[0], keys[-1]


def may_be_swapped(table: Table) -> list[str]:
    """Columns that no key and no unique index holds."""
    held = set(table.primary_key.columns)
    for item in (*table.constraints, *table.indexes):
        if isinstance(item, UniqueConstraint) or (isinstance(item, Index) and item.unique):
            held |= set(item.columns)
    return [f'"{column.name}"' for column in table.columns if column not in held]


def test_a_row_removed_from_each_chained_table_is_named(full: Ledger, ledger_url: str) -> None:
    removed = {table: two_keys(ledger_url, table)[0] for table in CHAINED}
    behind_the_back(
        ledger_url,
        *(f"DELETE FROM ledger.{table} r WHERE {CHAINED[table]} = '{one}'" for table, one in removed.items()),
    )
    named = {place for kind, place in found(full) if kind == "row removed"}
    assert named == {f"{table} {one}" for table, one in removed.items()}


def test_rows_swapped_in_each_chained_table_are_named(full: Ledger, ledger_url: str) -> None:
    swapped = {table: two_keys(ledger_url, table) for table in CHAINED}
    behind_the_back(ledger_url, *(swap(table, *keys) for table, keys in swapped.items()))
    named = {place for kind, place in found(full) if kind == "row changed"}
    assert {f"{table} {key}" for table, keys in swapped.items() for key in keys} <= named


def swap(table: str, one: str, two: str) -> str:
    """SQL that exchanges what two rows hold besides their keys."""
    columns, key = ", ".join(may_be_swapped(metadata.tables[f"ledger.{table}"])), CHAINED[table]
    return (
        f"UPDATE ledger.{table} r SET ({columns}) = (SELECT {columns} FROM ledger.{table} o"
        f" WHERE {key.replace('r.', 'o.')} = CASE WHEN {key} = '{one}' THEN '{two}' ELSE '{one}' END)"
        f" WHERE {key} IN ('{one}', '{two}')"
    )


def test_what_was_written_before_locks_and_equity_were_chained_enters_the_chain(empty_url: str) -> None:
    ledger, engine = Ledger(empty_url), create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA ledger"))
        command.upgrade(alembic_config(connection), "0003")
        for until in ("NULL", "now()"):
            connection.execute(
                text(
                    "INSERT INTO ledger.locks (account, strategy, symbol, reason, locked_at, unlocked_at)"
                    f" VALUES ('main', 'trend', 'BTC/USDT', 'why', now(), {until})"
                )
            )
        connection.execute(text("INSERT INTO ledger.equity VALUES ('main', now(), 1, 1, 0, 0, 0, 0, 1)"))
    ledger.migrate()
    ledger.record_equity(replace(point(1), at=START + timedelta(days=1)))
    assert ledger.verify().findings == ()
    behind_the_back(empty_url, "DELETE FROM ledger.locks WHERE id = 1", "DELETE FROM ledger.lock_ends")
    assert {("row removed", "locks 1"), ("row removed", "lock_ends 2")} <= found(ledger)
    ledger.close()
    engine.dispose()
