"""The chain of hashes made again: every hash is computed here, by nothing that is stored in the database.

The server gives rows as its own canonical JSON (`jsonb`, keys in its order, times in UTC); a function of the ledger's
schema, which whoever changes rows could change too, is never asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice

from sqlalchemy import Connection, select, text

from trade_pipeline.ledger.chain_tables import CHAINED, NEVER_REMOVED, chain, chain_head, content_of
from trade_pipeline.ledger.columns import SCHEMA
from trade_pipeline.ledger.findings import NAMED_MAX, Finding, Head
from trade_pipeline.ledger.tables import APPEND_ONLY

STREAMED = {"yield_per": 2000}
"""Rows of a server-side cursor: what is in memory at one time."""


def links_broken(connection: Connection) -> Iterator[Finding]:
    """Links that do not follow from the one before, and holes."""
    yield from islice(_links_broken(connection), NAMED_MAX)


def _links_broken(connection: Connection) -> Iterator[Finding]:
    before, last = b"", 0
    for row in connection.execute(select(chain).order_by(chain.c.number), execution_options=STREAMED):
        if row.number != last + 1:
            yield Finding("link removed", f"chain {last + 1} to {row.number - 1}", "the chain has a hole")
        elif link_hash(before, row.number, row.table_name, row.row_key, bytes(row.row_hash)) != bytes(row.hash):
            place = f"chain {row.number} ({row.table_name} {row.row_key})"
            yield Finding("link broken", place, "its hash does not follow from the link before it")
        before, last = bytes(row.hash), row.number


def link_hash(before: bytes, number: int, table: str, key: str, row_hash: bytes) -> bytes:
    return hashlib.sha256(before + f"{number}|{table}|{key}|".encode() + row_hash).digest()


def contents_differ(connection: Connection) -> Iterator[Finding]:
    """Rows that are not what their link says, rows without a link and links without a row."""
    connection.execute(text("SET LOCAL extra_float_digits = 1"))
    for table in CHAINED:
        yield from islice(_contents_differ(connection, table), NAMED_MAX)


def _contents_differ(connection: Connection, table: str) -> Iterator[Finding]:
    key = CHAINED[table]
    query = f"""
SELECT coalesce(c.row_key, {key}) AS named, c.number, c.row_hash, r IS NULL AS gone,
       CASE WHEN r IS NULL THEN NULL ELSE ({content_of(table)})::text END AS content
FROM (SELECT * FROM {SCHEMA}.chain WHERE table_name = '{table}') AS c
FULL JOIN {SCHEMA}.{table} AS r ON c.row_key = {key}
"""  # noqa: S608  table and key are constants of this package
    for row in connection.execute(text(query), execution_options=STREAMED):
        place = f"{table} {row.named}"
        if row.number is None:
            yield Finding("row inserted", place, "it is in no link of the chain")
        elif row.gone:
            yield Finding("row removed", place, f"link {row.number} of the chain says that it was there")
        elif hashlib.sha256(row.content.encode()).digest() != bytes(row.row_hash):
            yield Finding("row changed", place, f"it is not what link {row.number} of the chain says")


def stored_head(connection: Connection) -> Head | None:
    """None where somebody has removed its row."""
    row = connection.execute(select(chain_head)).one_or_none()
    return None if row is None else Head(row.number, bytes(row.hash).hex())


def newest_link(connection: Connection) -> Head:
    newest = select(chain.c.number, chain.c.hash).order_by(chain.c.number.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return Head(0, "") if row is None else Head(row.number, bytes(row.hash).hex())


def end_differs(connection: Connection, known: Head | None) -> Iterator[Finding]:
    """A head that is gone, a tail that was cut off, or another chain than that of which a head was `known` outside."""
    head, last = stored_head(connection), newest_link(connection)
    if head is None:
        detail = f"the row is gone and nothing can be written; the newest link is {last.number} {last.hash}"
        yield Finding("head removed", "chain_head", detail)
    elif last != head:
        yield Finding("tail cut off", f"chain {last.number}", f"its head says that {head.number} links were made")
    if known is None or known.number == 0:
        return
    link = connection.execute(select(chain.c.hash).where(chain.c.number == known.number)).scalar_one_or_none()
    if link is None:
        yield Finding("tail cut off", f"chain {known.number}", "a head that was written down outside is not there")
    elif bytes(link).hex() != known.hash:
        yield Finding("chain rewritten", f"chain {known.number}", "it is another one than was written down outside")


def triggers_off(connection: Connection) -> Iterator[Finding]:
    """Guards of the tables that are gone or switched off: what is written then enters no chain, or can be changed."""
    query = text(
        "SELECT c.relname AS table_name, t.tgname AS name FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = :schema AND t.tgenabled IN ('O', 'A')"
    )
    found = {(row.table_name, row.name) for row in connection.execute(query, {"schema": SCHEMA})}
    wanted = {(table, "chained") for table in CHAINED} | {(table.name, "append_only") for table in APPEND_ONLY}
    wanted |= {(table, "never_removed") for table in NEVER_REMOVED}
    for table, name in sorted(wanted - found):
        yield Finding("trigger off", f"{table} {name}", "what it guards can be changed, or written, unseen")
