"""What stands beside the trading, breakers, locks, the equity curve and the chain's head, is proven too."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import BreakerState, EquityPoint, Lock
from trade_pipeline_tests.fakes import START

MINUTE = timedelta(minutes=1)
BREAKER = BreakerState("main", "*", "OPEN", "drawdown", "12 % below the peak", START, START, 0, {"drawdown": "0.12"})
OF_BTC = BreakerState("main", "BTC/USDT", "HALF_OPEN", "spread", "3 % wide", START, START + MINUTE, 1)


@pytest.fixture
def noted(ledger: Ledger) -> Ledger:
    """Two breakers that have changed, three locks of which one is lifted and one replaced, two points of equity."""
    ledger.set_breaker(BREAKER)
    ledger.set_breaker(replace(BREAKER, detail={"drawdown": "0.12", "calm_since": START.isoformat()}))
    ledger.set_breaker(replace(OF_BTC, state="OPEN", stage=0, changed_at=START))
    ledger.set_breaker(OF_BTC)
    for symbol in ("BTC/USDT", "ETH/USDT", "ETH/USDT"):
        ledger.lock(Lock("main", "trend", symbol, "protective exit", START))
    ledger.unlock("main", "trend", "BTC/USDT")
    for number in range(2):
        ledger.record_equity(point(number))
    assert ledger.verify().findings == ()
    return ledger


def point(number: int) -> EquityPoint:
    amounts = [Decimal(number + place) for place in range(7)]
    return EquityPoint("main", START + number * MINUTE, *amounts)


def behind_the_back(url: str, *statements: str) -> None:
    """As somebody who may do anything: no trigger runs, and all of them are there again afterwards."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def found(ledger: Ledger) -> set[tuple[str, str]]:
    return {(finding.kind, finding.place) for finding in ledger.verify().findings}


EQUITY_0, EQUITY_1 = (f"equity main|{START + number * MINUTE:%Y%m%d %H%M%S.%f}" for number in range(2))
SWAP_BREAKERS = tuple(
    f"UPDATE ledger.breakers SET scope = '{two}' WHERE scope = '{one}'"
    for one, two in (("*", "x"), ("BTC/USDT", "*"), ("x", "BTC/USDT"))
)
SWAP_LOCKS = (
    "UPDATE ledger.locks a SET symbol = b.symbol, reason = b.reason, until = b.until, unlocked_at = b.unlocked_at"
    " FROM ledger.locks b WHERE (a.id, b.id) IN ((1, 2), (2, 1))"
)
SWAP_EQUITY = (
    "UPDATE ledger.equity a SET equity_quote = b.equity_quote, cash_quote = b.cash_quote FROM ledger.equity b"
    " WHERE a.at <> b.at"
)


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (("DELETE FROM ledger.breakers WHERE scope = '*'",), {("row removed", "breakers main *")}),
        (
            ("DELETE FROM ledger.breakers",),
            {("row removed", "breakers main *"), ("row removed", "breakers main BTC/USDT")},
        ),
        (("DELETE FROM ledger.locks WHERE id = 3",), {("row removed", "locks 3")}),
        (("DELETE FROM ledger.lock_ends WHERE lock_id = 1",), {("row removed", "lock_ends 1")}),
        (("DELETE FROM ledger.equity WHERE equity_quote = 1",), {("row removed", EQUITY_1)}),
        (("DELETE FROM ledger.chain_head",), {("head removed", "chain_head")}),
    ],
)
def test_a_removed_row_is_named(
    noted: Ledger, ledger_url: str, statements: tuple[str, ...], named: set[tuple[str, str]]
) -> None:
    behind_the_back(ledger_url, *statements)
    assert named <= found(noted)


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (SWAP_BREAKERS, {("row changed", "breakers main *"), ("row changed", "breakers main BTC/USDT")}),
        ((SWAP_LOCKS,), {("row changed", "locks 1"), ("row changed", "locks 2")}),
        ((SWAP_EQUITY,), {("row changed", EQUITY_0), ("row changed", EQUITY_1)}),
    ],
)
def test_swapped_rows_are_named(
    noted: Ledger, ledger_url: str, statements: tuple[str, ...], named: set[tuple[str, str]]
) -> None:
    behind_the_back(ledger_url, *statements)
    assert named <= found(noted)


@pytest.mark.parametrize(
    "change",
    [
        "state = 'CLOSED'",
        "stage = 3",
        "reason = 'nothing'",
        "dimension = 'other'",
        "opened_at = now()",
        "changed_at = now()",
        """detail = '{"forgiven_at": "2026-01-01T00:00:00+00:00"}'""",
    ],
)
def test_a_breaker_that_somebody_changed_is_named_though_every_trigger_ran(
    noted: Ledger, ledger_url: str, change: str
) -> None:
    with create_engine(ledger_url).begin() as connection:
        connection.execute(text(f"UPDATE ledger.breakers SET {change} WHERE scope = '*'".replace(":", r"\:")))
    assert found(noted) == {("row changed", "breakers main *")}


def test_a_lock_that_somebody_lifted_or_changed_is_named_though_every_trigger_ran(
    noted: Ledger, ledger_url: str
) -> None:
    with create_engine(ledger_url).begin() as connection:
        connection.execute(text("UPDATE ledger.locks SET unlocked_at = now() WHERE id = 3"))
    assert found(noted) == {("row changed", "locks 3 (main trend ETH/USDT)")}
    with create_engine(ledger_url).begin() as connection:
        connection.execute(text("UPDATE ledger.locks SET unlocked_at = NULL, until = now() WHERE id = 3"))
    assert found(noted) == {("row changed", "locks 3")}


def test_an_inserted_breaker_and_point_are_named(noted: Ledger, ledger_url: str) -> None:
    behind_the_back(
        ledger_url,
        "INSERT INTO ledger.breakers SELECT account, 'ETH/USDT', 'CLOSED', dimension, reason, opened_at, changed_at,"
        " stage, detail FROM ledger.breakers WHERE scope = '*'",
        "INSERT INTO ledger.equity SELECT account, at - interval '1 day', 9, 9, 9, 9, 9, 9, 9 FROM ledger.equity"
        " WHERE equity_quote = 0",
    )
    earlier = f"equity main|{START - timedelta(days=1):%Y%m%d %H%M%S.%f}"
    assert found(noted) == {("row inserted", "breakers main ETH/USDT"), ("row inserted", earlier)}


@pytest.mark.parametrize("table", ["breakers", "locks", "chain_head"])
def test_the_database_refuses_that_such_a_row_goes(noted: Ledger, ledger_url: str, table: str) -> None:
    with pytest.raises(DBAPIError, match="DELETE refused"), create_engine(ledger_url).begin() as connection:
        connection.execute(text(f"DELETE FROM ledger.{table}"))
    with create_engine(ledger_url).begin() as connection:
        connection.execute(text(f"ALTER TABLE ledger.{table} DISABLE TRIGGER never_removed"))
    assert found(noted) == {("trigger off", f"{table} never_removed")}


def test_without_its_head_the_chain_takes_nothing_and_with_it_put_back_is_proven(
    noted: Ledger, ledger_url: str
) -> None:
    head = noted.chain_head()
    behind_the_back(ledger_url, "DELETE FROM ledger.chain_head")
    proof = noted.verify(head)
    assert [(item.kind, item.place) for item in proof.findings] == [("head removed", "chain_head")]
    assert proof.head == head
    with pytest.raises(LedgerError, match="head of the chain is gone"):
        noted.chain_head()
    with pytest.raises(DBAPIError):
        noted.record_equity(point(2))
    behind_the_back(
        ledger_url,
        "INSERT INTO ledger.chain_head (number, hash)"
        " SELECT number, hash FROM ledger.chain ORDER BY number DESC LIMIT 1",
    )
    noted.record_equity(point(2))
    assert noted.verify(head).findings == ()
