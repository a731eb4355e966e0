"""Proof of the ledger: the chain of hashes, the projections made again, and the invariants that rows can show."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, select, text, union

from trade_pipeline.ledger.base import LedgerPart
from trade_pipeline.ledger.chain_tables import CHAINED, chain_head
from trade_pipeline.ledger.positions import rebuild_account
from trade_pipeline.ledger.tables import flows, orders
from trade_pipeline.schemas.order_states import STEPS
from trade_pipeline.schemas.trading import OrderState

NAMED_MAX = 50
"""How many findings of one kind are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be. `place` names table and key, or a number of the chain."""

    kind: str
    place: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.place}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest link of the chain: kept outside of the database too, so that a tail that was cut off shows."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Proof:
    head: Head
    rows: int
    findings: tuple[Finding, ...]
    took_s: float
    accounts: tuple[str, ...] = field(default=())

    @property
    def proven(self) -> bool:
        return not self.findings


class VerifyBook(LedgerPart):
    def chain_head(self) -> Head:
        """The newest link."""
        with self._database.reading() as connection:
            row = connection.execute(select(chain_head)).one()
        return Head(row.number, bytes(row.hash).hex())

    def verify(self, known: Head | None = None) -> Proof:
        """Check everything, changing nothing. `known`: a head that was written down earlier, outside.

        Raises LedgerUnavailable. Work is in the database; only what is wrong comes back.
        """
        began = time.perf_counter()
        with self._database.trial() as connection:
            connection.execute(text("SET LOCAL statement_timeout = '600s'"))
            row = connection.execute(select(chain_head)).one()
            findings = [*_links(connection), *_contents(connection), *_end(connection, known)]
            accounts = _accounts(connection)
            for account in accounts:
                findings += _projections(connection, account, self._now())
            findings += _invariants(connection)
        took_s = time.perf_counter() - began
        return Proof(Head(row.number, bytes(row.hash).hex()), row.number, tuple(findings), took_s, accounts)


def _accounts(connection: Connection) -> tuple[str, ...]:
    found = union(select(orders.c.account), select(flows.c.account))
    return tuple(sorted(connection.scalars(found)))


_LINKS = """
SELECT number, before + 1 AS wanted, hash = sha256(
    coalesce(last, ''::bytea) || convert_to(number || '|' || table_name || '|' || row_key || '|', 'UTF8') || row_hash
) AS holds, table_name, row_key
FROM (SELECT *, lag(hash) OVER w AS last, coalesce(lag(number) OVER w, 0) AS before FROM ledger.chain
      WINDOW w AS (ORDER BY number)) AS links
WHERE number <> before + 1 OR hash <> sha256(
    coalesce(last, ''::bytea) || convert_to(number || '|' || table_name || '|' || row_key || '|', 'UTF8') || row_hash)
ORDER BY number LIMIT :most
"""


def _links(connection: Connection) -> Iterator[Finding]:
    for row in connection.execute(text(_LINKS), {"most": NAMED_MAX}):
        if row.number != row.wanted:
            yield Finding("link removed", f"chain {row.wanted} to {row.number - 1}", "the chain has a hole")
        elif not row.holds:
            place = f"chain {row.number} ({row.table_name} {row.row_key})"
            yield Finding("link broken", place, "its hash does not follow from the link before it")


def _contents(connection: Connection) -> Iterator[Finding]:
    for table, key in CHAINED.items():
        query = f"""
SELECT coalesce(c.row_key, {key}) AS named, c.number, r IS NULL AS gone
FROM (SELECT * FROM ledger.chain WHERE table_name = '{table}') AS c
FULL JOIN ledger.{table} AS r ON c.row_key = {key}
WHERE c.row_hash IS DISTINCT FROM (CASE WHEN r IS NULL THEN NULL ELSE ledger.hash_of_{table}(r) END)
ORDER BY c.number NULLS LAST LIMIT :most
"""  # noqa: S608  table and key are constants of this package
        for row in connection.execute(text(query), {"most": NAMED_MAX}):
            place = f"{table} {row.named}"
            if row.number is None:
                yield Finding("row inserted", place, "it is in no link of the chain")
            elif row.gone:
                yield Finding("row removed", place, f"link {row.number} of the chain says that it was there")
            else:
                yield Finding("row changed", place, f"it is not what link {row.number} of the chain says")


def _end(connection: Connection, known: Head | None) -> Iterator[Finding]:
    head = connection.execute(select(chain_head)).one()
    last = connection.execute(text("SELECT number, hash FROM ledger.chain ORDER BY number DESC LIMIT 1")).one_or_none()
    if (last.number if last else 0) != head.number or (last is not None and bytes(last.hash) != bytes(head.hash)):
        end = last.number if last else 0
        yield Finding("tail cut off", f"chain {end}", f"its head says that {head.number} links were made")
    if known is None:
        return
    query = text("SELECT hash FROM ledger.chain WHERE number = :number")
    link = connection.execute(query, {"number": known.number}).scalar_one_or_none()
    if known.number > 0 and link is None:
        yield Finding("tail cut off", f"chain {known.number}", "a head that was written down outside is not there")
    elif link is not None and bytes(link).hex() != known.hash:
        yield Finding("chain rewritten", f"chain {known.number}", "it is another one than was written down outside")


_PROJECTIONS: Mapping[str, str] = {
    "positions": "symbol",
    "sleeves": "symbol, strategy",
    "cash": "asset",
    "closed_trades": "symbol, number",
    "orders": "client_order_id",
}


def _projections(connection: Connection, account: str, now: Any) -> Iterator[Finding]:
    """Throws the account's projections away, makes them again, and tells what differs; nothing of it is kept."""
    before = {table: _rows(connection, table, account) for table in _PROJECTIONS}
    rebuild_account(connection, account, now)
    for table, rows in before.items():
        after = _rows(connection, table, account)
        for key in sorted(rows.keys() | after.keys(), key=str):
            if rows.get(key) != after.get(key):
                detail = f"the ledger says {rows.get(key)}, its events give {after.get(key)}"
                yield Finding("projection differs", f"{table} {account} {' '.join(map(str, key))}", detail)


def _rows(connection: Connection, table: str, account: str) -> dict[tuple[object, ...], tuple[object, ...]]:
    keys = _PROJECTIONS[table]
    values = {
        "positions": "amount, cost_quote, realised_total_quote, fees_total_quote, opened_at",
        "sleeves": "amount",
        "cash": "amount",
        "closed_trades": "amount, entry_price, exit_price, profit_quote, fees_quote, opened_at, closed_at",
        "orders": "filled, quote_filled",
    }[table]
    query = f"SELECT {keys}, {values} FROM ledger.{table} WHERE account = :account"  # noqa: S608  constants
    width = len(keys.split(","))
    found = {}
    for row in connection.execute(text(query), {"account": account}):
        # A balance of nothing may be a row or none.
        if table != "cash" or row[1]:
            found[tuple(row[:width])] = tuple(row[width:])
    return found


_INVARIANTS: Mapping[str, str] = {
    "an order is filled beyond its amount": """
        SELECT client_order_id AS place, filled || ' of ' || amount AS detail FROM ledger.orders
        WHERE filled > amount""",
    "sleeves do not add up to the position": """
        SELECT p.account || ' ' || p.symbol AS place, p.amount || ' held, sleeves ' || coalesce(s.total, 0) AS detail
        FROM ledger.positions p LEFT JOIN (SELECT account, symbol, sum(amount) AS total FROM ledger.sleeves
        GROUP BY account, symbol) s USING (account, symbol) WHERE p.amount <> coalesce(s.total, 0)""",
    "an order has no intent": """
        SELECT o.client_order_id AS place, o.intent_id AS detail FROM ledger.orders o
        LEFT JOIN ledger.intents i USING (intent_id) WHERE i.intent_id IS NULL OR i.created_at > o.planned_at""",
    "an order's state is not its last event's": """
        SELECT o.client_order_id AS place, o.state || ', last event ' || e.state AS detail FROM ledger.orders o
        JOIN LATERAL (SELECT state FROM ledger.order_events e WHERE e.client_order_id = o.client_order_id
        ORDER BY id DESC LIMIT 1) e ON true WHERE e.state <> o.state""",
}


def _invariants(connection: Connection) -> Iterator[Finding]:
    for kind, query in _INVARIANTS.items():
        for row in connection.execute(text(f"{query} LIMIT {NAMED_MAX}")):
            yield Finding(kind, str(row.place), str(row.detail))
    yield from _steps(connection)


def _steps(connection: Connection) -> Iterator[Finding]:
    """Invariant 8: each order took only listed steps."""
    listed = {(str(one), str(two)) for one, following in STEPS.items() for two in following}
    query = """
SELECT client_order_id, array_agg(state ORDER BY id) AS states FROM ledger.order_events GROUP BY client_order_id
"""
    for row in connection.execution_options(stream_results=True).execute(text(query)):
        if row.states[0] != str(OrderState.PLANNED):
            yield Finding("an order does not begin as PLANNED", row.client_order_id, row.states[0])
        for one, two in pairwise(row.states):
            if one != two and (one, two) not in listed:
                yield Finding("a step that is not listed", row.client_order_id, f"{one} -> {two}")
