"""Proof of the ledger, on one snapshot, read only: nobody who writes waits for it, and nothing is changed.

verify_chain.py        the chain of hashes, made again here from the rows
verify_notes.py        breakers beside their events, locks beside their ends
verify_projections.py  positions, sleeves, closed trades, cash and quantities, made again here from the events
verify_invariants.py   what RELIABILITY's invariants say of rows
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, exists, select, text, union

from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger.base import LedgerPart
from trade_pipeline.ledger.chain_tables import chain
from trade_pipeline.ledger.findings import NAMED_MAX, Finding, Head, Proof
from trade_pipeline.ledger.tables import equity, flows, orders
from trade_pipeline.ledger.verify_chain import (
    contents_differ,
    end_differs,
    links_broken,
    newest_link,
    stored_head,
    triggers_off,
)
from trade_pipeline.ledger.verify_invariants import broken_invariants
from trade_pipeline.ledger.verify_notes import notes_differ
from trade_pipeline.ledger.verify_projections import projections_differ

__all__ = ["NAMED_MAX", "Finding", "Head", "Proof", "VerifyBook"]


class VerifyBook(LedgerPart):
    def chain_head(self) -> Head:
        """The newest link. LedgerError if somebody has removed the head."""
        with self._database.reading() as connection:
            head = stored_head(connection)
        if head is None:
            raise LedgerError(
                "the head of the chain is gone: somebody has removed it",
                thing="ledger.chain_head",
                repair="Nothing can be written without it. `trade-pipeline verify-ledger` says what else is wrong; "
                "docs/reliability.md says how it is put back.",
            )
        return head

    def verify(self, known: Head | None = None) -> Proof:
        """Check everything. `known`: a head that was written down earlier, outside; without one the end is not proven.

        Rows are streamed, so that memory does not grow with the ledger. Raises LedgerUnavailable.
        """
        began = time.perf_counter()
        with self._database.snapshot() as connection:
            connection.execute(text("SET LOCAL statement_timeout = '3600s'"))
            head = stored_head(connection) or newest_link(connection)
            findings = [*triggers_off(connection), *links_broken(connection), *contents_differ(connection)]
            findings += end_differs(connection, known)
            accounts = _accounts(connection)
            for account in accounts:
                findings += projections_differ(connection, account)
            findings += [*notes_differ(connection), *broken_invariants(connection)]
            watched = bool(connection.scalar(select(exists().where(chain.c.table_name == equity.name))))
        took_s = time.perf_counter() - began
        tail_from = None if known is None else known.number
        return Proof(head, head.number, tuple(findings), took_s, accounts, tail_from, watched)


def _accounts(connection: Connection) -> tuple[str, ...]:
    found = union(select(orders.c.account), select(flows.c.account))
    return tuple(sorted(connection.scalars(found)))
