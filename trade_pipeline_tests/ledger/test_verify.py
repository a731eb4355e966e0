"""A row that was changed, removed, inserted or swapped behind the ledger's back is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from sqlalchemy import Connection, create_engine, text

from trade_pipeline.ledger.base import lock_account
from trade_pipeline.ledger.chain_tables import CHAINED, NEVER_REMOVED, content_of
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.migrations.versions import rev_0003_chain, rev_0004_chain_of_notes
from trade_pipeline.ledger.verify import Finding, Head
from trade_pipeline_tests.fakes import make_decision, make_snapshot, make_target
from trade_pipeline_tests.ledger.flow import buy, sell

Break = Callable[[str], None]


@pytest.fixture
def traded(ledger: Ledger) -> Ledger:
    """A decision with its target, two purchases and a sale."""
    ledger.record_decision(make_decision(), make_snapshot(), [make_target()])
    buy(ledger, 1, "2", "100")
    buy(ledger, 2, "1", "110")
    sell(ledger, 3, "3", "120")
    return ledger


@contextmanager
def behind_the_back(url: str, table: str) -> Iterator[Connection]:
    """As somebody who may do anything: without triggers."""
    with create_engine(url).begin() as connection:
        connection.execute(text(f"ALTER TABLE ledger.{table} DISABLE TRIGGER USER"))
        yield connection
        connection.execute(text(f"ALTER TABLE ledger.{table} ENABLE TRIGGER USER"))


def found(ledger: Ledger, known: Head | None = None) -> list[Finding]:
    return list(ledger.verify(known).findings)


def test_an_honest_ledger_is_proven_and_left_as_it_is(traded: Ledger) -> None:
    before = (traded.chain_head(), traded.position("main", "BTC/USDT"))

    proof = traded.verify(traded.chain_head())

    assert proof.findings == ()
    assert proof.proven
    assert proof.rows == proof.head.number > 20
    assert (traded.chain_head(), traded.position("main", "BTC/USDT")) == before


@pytest.mark.parametrize(
    ("table", "change", "place"),
    [
        ("fills", "SET amount = 5 WHERE trade_id = '2'", "fills main|BTC/USDT|2"),
        ("intents", "SET reason = 'other' WHERE intent_id = 'intent-1'", "intents intent-1"),
        ("orders", "SET amount = 7 WHERE intent_id = 'intent-1'", "orders 7c01"),
        ("decisions", "SET code_version = 'other'", "decisions dddd"),
        ("targets", "SET quantity = 9", "decisions dddd"),
        ("order_events", "SET state = 'FILLED' WHERE id = 1", "order_events 1"),
    ],
)
def test_a_changed_row_is_named(traded: Ledger, ledger_url: str, table: str, change: str, place: str) -> None:
    with behind_the_back(ledger_url, table) as connection:
        connection.execute(text(f"UPDATE ledger.{table} {change}"))

    changed = [finding for finding in found(traded) if finding.kind == "row changed"]

    assert len(changed) == 1
    assert changed[0].place.startswith(place)


def test_a_removed_row_is_named(traded: Ledger, ledger_url: str) -> None:
    with behind_the_back(ledger_url, "fills") as connection:
        connection.execute(text("DELETE FROM ledger.fills WHERE trade_id = '2'"))

    kinds = {(finding.kind, finding.place) for finding in found(traded)}

    assert ("row removed", "fills main|BTC/USDT|2") in kinds


def test_an_inserted_row_is_named(traded: Ledger, ledger_url: str) -> None:
    with behind_the_back(ledger_url, "fills") as connection:
        columns = "account, symbol, venue_order_id, side, price, amount, fee, fee_asset, fee_quote, at, is_maker"
        copied = f"SELECT '99', booked_at, {columns} FROM ledger.fills WHERE trade_id = '2'"
        connection.execute(text(f"INSERT INTO ledger.fills (trade_id, booked_at, {columns}) {copied}"))

    kinds = {(finding.kind, finding.place) for finding in found(traded)}

    assert ("row inserted", "fills main|BTC/USDT|99") in kinds


def test_swapped_rows_are_named(traded: Ledger, ledger_url: str) -> None:
    with behind_the_back(ledger_url, "fills") as connection:
        for one, two in (("1", "x"), ("2", "1"), ("x", "2")):
            connection.execute(text(f"UPDATE ledger.fills SET trade_id = '{two}' WHERE trade_id = '{one}'"))

    changed = {finding.place for finding in found(traded) if finding.kind == "row changed"}

    assert {"fills main|BTC/USDT|1", "fills main|BTC/USDT|2"} <= changed


def test_a_link_that_was_made_to_fit_breaks_the_chain(traded: Ledger, ledger_url: str) -> None:
    with behind_the_back(ledger_url, "fills") as connection:
        connection.execute(text("UPDATE ledger.fills SET amount = 5 WHERE trade_id = '2'"))
    with behind_the_back(ledger_url, "chain") as connection:
        connection.execute(
            text(
                "UPDATE ledger.chain c SET row_hash = ledger.hash_of_fills(r) FROM ledger.fills r"
                " WHERE c.table_name = 'fills' AND c.row_key = r.account || '|' || r.symbol || '|' || r.trade_id"
            )
        )

    kinds = {finding.kind for finding in found(traded)}

    assert "link broken" in kinds


def test_a_tail_that_was_cut_off_shows_by_the_head_that_was_written_down(traded: Ledger, ledger_url: str) -> None:
    known = traded.chain_head()
    with behind_the_back(ledger_url, "events") as connection:
        connection.execute(text("DELETE FROM ledger.events"))
    with behind_the_back(ledger_url, "chain") as connection:
        connection.execute(text(f"DELETE FROM ledger.chain WHERE number > {known.number - 3}"))
        connection.execute(
            text(
                "UPDATE ledger.chain_head SET number = c.number, hash = c.hash FROM ledger.chain c"
                f" WHERE c.number = {known.number - 3}"
            )
        )

    assert "tail cut off" in {finding.kind for finding in found(traded, known)}


def test_without_a_head_from_outside_the_tail_counts_as_not_checked(traded: Ledger) -> None:
    assert traded.verify().tail_from is None
    assert traded.verify(traded.chain_head()).tail_from == traded.chain_head().number


def test_a_hash_function_of_the_database_that_lies_is_not_believed(traded: Ledger, ledger_url: str) -> None:
    with behind_the_back(ledger_url, "fills") as connection:
        connection.execute(text("UPDATE ledger.fills SET amount = 5 WHERE trade_id = '2'"))
        connection.execute(
            text(
                "CREATE OR REPLACE FUNCTION ledger.hash_of_fills(r ledger.fills) RETURNS bytea LANGUAGE sql AS"
                " $$SELECT row_hash FROM ledger.chain WHERE table_name = 'fills'"
                " AND row_key = r.account || '|' || r.symbol || '|' || r.trade_id$$"
            )
        )

    assert ("row changed", "fills main|BTC/USDT|2") in {(item.kind, item.place) for item in found(traded)}


@pytest.mark.parametrize(("table", "trigger"), [("fills", "chained"), ("events", "append_only")])
def test_a_trigger_that_was_switched_off_is_named(traded: Ledger, ledger_url: str, table: str, trigger: str) -> None:
    with create_engine(ledger_url).begin() as connection:
        connection.execute(text(f"ALTER TABLE ledger.{table} DISABLE TRIGGER {trigger}"))

    assert [(item.kind, item.place) for item in found(traded)] == [("trigger off", f"{table} {trigger}")]


def test_the_proof_waits_for_no_writer_and_no_writer_for_it(traded: Ledger, ledger_url: str) -> None:
    """Somebody holds the account's lock and its rows, for as long as the proof takes."""
    engine = create_engine(ledger_url)
    with engine.begin() as writer:
        lock_account(writer, "main")
        for table in ("positions", "cash", "orders", "chain_head"):
            writer.execute(text(f"SELECT 1 FROM ledger.{table} FOR UPDATE"))

        assert traded.verify(traded.chain_head()).proven
    engine.dispose()


def test_the_content_that_is_proven_is_the_content_that_the_triggers_hash() -> None:
    made = (rev_0003_chain, rev_0004_chain_of_notes)
    assert {table: content_of(table) for table in CHAINED} == {
        table: revision.CONTENT.get(table, "to_jsonb(r)") for revision in made for table in revision.CHAINED
    }
    assert CHAINED == rev_0003_chain.CHAINED | rev_0004_chain_of_notes.CHAINED
    assert NEVER_REMOVED == rev_0004_chain_of_notes.NEVER_REMOVED


def test_a_projection_that_was_changed_is_named(traded: Ledger, ledger_url: str) -> None:
    with create_engine(ledger_url).begin() as connection:
        connection.execute(text("UPDATE ledger.positions SET amount = 1"))
        connection.execute(text("UPDATE ledger.cash SET amount = amount + 1 WHERE asset = 'USDT'"))

    places = {finding.place for finding in found(traded) if finding.kind == "projection differs"}

    assert places == {"positions main BTC/USDT", "cash main USDT"}


def test_a_step_that_does_not_exist_is_named(traded: Ledger, ledger_url: str) -> None:
    with create_engine(ledger_url).begin() as connection:
        named = connection.execute(text("SELECT client_order_id FROM ledger.orders LIMIT 1")).scalar_one()
        connection.execute(
            text(
                "INSERT INTO ledger.order_events (client_order_id, at, state, evidence)"
                f" VALUES ('{named}', now(), 'SENT', 'forged')"
            )
        )

    kinds = {finding.kind for finding in found(traded)}

    assert {"a step that is not listed", "an order's state is not its last event's"} <= kinds


def test_every_written_amount_is_proven_to_the_last_digit(ledger: Ledger) -> None:
    buy(ledger, 1, "0.123456789012345678", "98765.4321")
    assert ledger.verify().findings == ()
    position = ledger.position("main", "BTC/USDT")
    assert position is not None
    assert position.amount == Decimal("0.123456789012345678")
