"""Rows that break an invariant, though every constraint that forbids them was taken away, are named."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import create_engine, text

from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import Role, Side
from trade_pipeline_tests.ledger.flow import buy, open_order


def do(url: str, *statements: str) -> None:
    """As somebody who may do anything."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def kinds(ledger: Ledger) -> set[str]:
    return {finding.kind for finding in ledger.verify().findings}


@pytest.fixture
def resting(ledger: Ledger) -> Ledger:
    """A position of 2 with a stop for all of it and an entry of another symbol."""
    buy(ledger, 1, "2", "100")
    open_order(ledger, 2, side=Side.SELL, role=Role.PROTECT, amount=Decimal(2))
    open_order(ledger, 3, symbol="ETH/USDT")
    assert ledger.verify().findings == ()
    return ledger


def test_a_trade_that_is_there_twice_is_named(resting: Ledger, ledger_url: str) -> None:
    do(
        ledger_url,
        "ALTER TABLE ledger.fills DROP CONSTRAINT pk_fills",
        "ALTER TABLE ledger.fills DISABLE TRIGGER USER",
        "INSERT INTO ledger.fills SELECT * FROM ledger.fills",
    )
    assert "a trade is booked twice" in kinds(resting)


def test_two_live_orders_of_one_intent_or_role_are_named(resting: Ledger, ledger_url: str) -> None:
    do(
        ledger_url,
        "DROP INDEX ledger.uq_orders_live_role",
        "DROP INDEX ledger.uq_orders_live_intent",
        "ALTER TABLE ledger.orders DROP CONSTRAINT uq_orders_intent_id_attempt",
        "UPDATE ledger.orders SET intent_id = 'intent-2', role = 'protect', symbol = 'BTC/USDT'"
        " WHERE intent_id = 'intent-3'",
    )
    assert {"two orders of one intent are live", "two orders of one role are live"} <= kinds(resting)


def test_sells_beyond_the_position_are_named(resting: Ledger, ledger_url: str) -> None:
    do(ledger_url, "UPDATE ledger.orders SET amount = 3 WHERE intent_id = 'intent-2'")
    assert "live sells exceed the managed position" in kinds(resting)


def test_two_protective_orders_that_share_their_coins_are_none_too_many(resting: Ledger, ledger_url: str) -> None:
    beside = "symbol = 'BTC/USDT', side = 'sell', role = 'protect_beside', stop_price = 1"
    do(ledger_url, f"UPDATE ledger.orders SET {beside} WHERE intent_id = 'intent-3'")
    assert "live sells exceed the managed position" not in kinds(resting)


def test_a_buy_that_crosses_a_sell_of_ours_is_named(resting: Ledger, ledger_url: str) -> None:
    do(ledger_url, "UPDATE ledger.orders SET symbol = 'BTC/USDT' WHERE intent_id = 'intent-3'")
    assert "a buy of ours crosses a sell of ours" in kinds(resting)


def test_an_exchange_id_of_two_orders_is_named(resting: Ledger, ledger_url: str) -> None:
    do(
        ledger_url,
        "ALTER TABLE ledger.orders DROP CONSTRAINT uq_orders_account_symbol_venue_order_id",
        "UPDATE ledger.orders SET venue_order_id = '1' WHERE intent_id = 'intent-2'",
    )
    assert "an exchange's id belongs to two orders" in kinds(resting)


def test_an_order_with_two_exchange_ids_is_named(resting: Ledger, ledger_url: str) -> None:
    do(
        ledger_url,
        "INSERT INTO ledger.order_events (client_order_id, at, state, evidence, venue_order_id)"
        " SELECT client_order_id, at, state, evidence, 'other' FROM ledger.order_events WHERE venue_order_id = '2'",
    )
    assert "an order had two ids at the exchange" in kinds(resting)
