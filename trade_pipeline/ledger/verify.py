"""Proof of the ledger, on one snapshot, read only: nobody who writes waits for it, and nothing is changed.

verify_chain.py        the chain of hashes, made again here from the rows
verify_projections.py  positions, sleeves, closed trades, cash and quantities, made again here from the events
verify_invariants.py   what RELIABILITY's invariants say of rows
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, select, text, union

from trade_pipeline.ledger.base import LedgerPart
from trade_pipeline.ledger.chain_tables import chain_head
from trade_pipeline.ledger.findings import NAMED_MAX, Finding, Head, Proof
from trade_pipeline.ledger.tables import flows, orders
from trade_pipeline.ledger.verify_chain import contents_differ, end_differs, links_broken, triggers_off
from trade_pipeline.ledger.verify_invariants import broken_invariants
from trade_pipeline.ledger.verify_projections import projections_differ

__all__ = ["NAMED_MAX", "Finding", "Head", "Proof", "VerifyBook"]


class VerifyBook(LedgerPart):
    def chain_head(self) -> Head:
        """The newest link."""
        with self._database.reading() as connection:
            return _head(connection)

    def verify(self, known: Head | None = None) -> Proof:
        """Check everything. `known`: a head that was written down earlier, outside; without one the end is not proven.

        Rows are streamed, so that memory does not grow with the ledger. Raises LedgerUnavailable.
        """
        began = time.perf_counter()
        with self._database.snapshot() as connection:
            connection.execute(text("SET LOCAL statement_timeout = '3600s'"))
            head = _head(connection)
            findings = [*triggers_off(connection), *links_broken(connection), *contents_differ(connection)]
            findings += end_differs(connection, known)
            accounts = _accounts(connection)
            for account in accounts:
                findings += projections_differ(connection, account)
            findings += broken_invariants(connection)
        took_s = time.perf_counter() - began
        tail_from = None if known is None else known.number
        return Proof(head, head.number, tuple(findings), took_s, accounts, tail_from)


def _head(connection: Connection) -> Head:
    row = connection.execute(select(chain_head)).one()
    return Head(row.number, bytes(row.hash).hex())


def _accounts(connection: Connection) -> tuple[str, ...]:
    found = union(select(orders.c.account), select(flows.c.account))
    return tuple(sorted(connection.scalars(found)))
