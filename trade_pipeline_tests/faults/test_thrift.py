"""Fewer round trips change neither what is written nor what is answered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg2
import pytest

from trade_pipeline.faults.thrift import PREPARED_FROM, AskingConnection, ThriftyConnection

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
INSERT = "INSERT INTO things (name, amount, at) VALUES (%(name)s, %(amount)s, %(at)s)"
READ = "SELECT name, amount FROM things WHERE amount >= %(least)s AND at - %(at)s = interval '0 s' ORDER BY name"


@pytest.fixture
def plain(ledger_url: str) -> Iterator[Any]:
    connection = psycopg2.connect(ledger_url.replace("+psycopg2", "", 1))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE things (name text PRIMARY KEY, amount numeric, at timestamptz)")
    yield connection
    connection.close()


@pytest.fixture
def thrifty(plain: Any, ledger_url: str) -> Iterator[Any]:
    connection = psycopg2.connect(
        ledger_url.replace("+psycopg2", "", 1), connection_factory=ThriftyConnection, options="-c timezone=UTC"
    )
    yield connection
    connection.close()


def named(plain: Any) -> list[str]:
    with plain.cursor() as cursor:
        cursor.execute("SELECT name FROM things ORDER BY name")
        return [name for (name,) in cursor.fetchall()]


def add(connection: Any, name: str, amount: str = "1") -> None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, {"name": name, "amount": Decimal(amount), "at": NOON})


def test_what_waits_is_there_after_the_commit_and_not_before(thrifty: Any, plain: Any) -> None:
    add(thrifty, "one")
    assert named(plain) == []
    thrifty.commit()
    assert named(plain) == ["one"]


def test_the_next_question_sees_what_waited_and_a_rollback_takes_both_back(thrifty: Any, plain: Any) -> None:
    add(thrifty, "one")
    with thrifty.cursor() as cursor:
        cursor.execute(READ, {"least": Decimal(1), "at": NOON})
        assert cursor.fetchall() == [("one", Decimal(1))]
    thrifty.rollback()
    assert named(plain) == []


def test_a_rollback_sends_nothing_that_waited(thrifty: Any, plain: Any) -> None:
    add(thrifty, "one")
    thrifty.rollback()
    thrifty.commit()
    assert named(plain) == []


def test_a_refusal_of_what_waited_takes_the_whole_transaction_along(thrifty: Any, plain: Any) -> None:
    add(thrifty, "one")
    thrifty.commit()
    add(thrifty, "two")
    add(thrifty, "one")
    with pytest.raises(psycopg2.IntegrityError):
        thrifty.commit()
    add(thrifty, "three")
    thrifty.commit()
    assert named(plain) == ["one", "three"]


def test_a_statement_with_a_plan_answers_as_before(thrifty: Any, ledger_url: str) -> None:
    for number in range(2 * PREPARED_FROM):
        add(thrifty, f"thing {number}", str(number))
        thrifty.commit()
    asking = psycopg2.connect(ledger_url.replace("+psycopg2", "", 1), connection_factory=AskingConnection)
    answers = []
    for _ in range(2 * PREPARED_FROM):
        with asking.cursor() as cursor:
            cursor.execute(READ, {"least": Decimal(4), "at": NOON})
            answers.append(cursor.fetchall())
    with asking.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        assert cursor.fetchone() == (1,)
    asking.close()
    assert answers == [[("thing 4", Decimal(4)), ("thing 5", Decimal(5))]] * 2 * PREPARED_FROM


def test_a_statement_that_cannot_have_a_plan_is_sent_as_it_is(thrifty: Any, plain: Any) -> None:
    for number in range(PREPARED_FROM + 2):
        with thrifty.cursor() as cursor:
            # The server cannot know what these two are.
            cursor.execute("SELECT %(one)s || %(two)s", {"one": "a", "two": str(number)})
            assert cursor.fetchone() == (f"a{number}",)
        thrifty.commit()
