"""A chain of hashes over everything that is written once: a row that was changed, removed or swapped shows.

Each row's link is made by a deferred trigger, at the very end of its transaction: the head of the chain is then the
last lock that anybody takes, so that two writers cannot wait for each other, and it is held for no longer than a
commit takes.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE ledger.chain (
    number BIGINT NOT NULL,
    table_name TEXT NOT NULL,
    row_key TEXT NOT NULL,
    row_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT pk_chain PRIMARY KEY (number)
);
CREATE UNIQUE INDEX uq_chain_table_name_row_key ON ledger.chain (table_name, row_key);
CREATE TABLE ledger.chain_head (
    singleton BOOLEAN DEFAULT true NOT NULL,
    number BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT pk_chain_head PRIMARY KEY (singleton),
    CONSTRAINT ck_chain_head_only_one CHECK (singleton)
);
INSERT INTO ledger.chain_head (number, hash) VALUES (0, ''::bytea);
"""

MUTABLE_OF_ORDERS = (
    "state", "venue_order_id", "filled", "quote_filled", "sent_at", "acknowledged_at", "updated_at", "last_evidence",
)  # fmt: skip
"""Columns of orders that are a projection of their events; the others are frozen with the request."""

CHAINED = {
    "account_snapshots": "r.snapshot_id",
    "decisions": "r.decision_id",
    "outcomes": "r.id::text",
    "claims": "r.decision_id || '|' || r.job",
    "intents": "r.intent_id",
    "orders": "r.client_order_id",
    "order_events": "r.id::text",
    "fills": "r.account || '|' || r.symbol || '|' || r.trade_id",
    "flows": "r.id::text",
    "events": "r.id::text",
    "conflicts": "r.id::text",
    "guard_verdicts": "r.id::text",
}
"""Table -> a row's key as text. A decision's targets are part of its content: they are written with it.

Frozen here, and again in `chain_tables`, which follows the newest revision: a migration never changes after it ran."""

_STRIPPED = "ARRAY[{}]".format(", ".join(f"'{name}'" for name in MUTABLE_OF_ORDERS))
CONTENT = {
    "orders": f"to_jsonb(r) - {_STRIPPED}",
    "decisions": (
        "to_jsonb(r) || jsonb_build_object('targets', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.symbol),"
        " '[]'::jsonb) FROM ledger.targets t WHERE t.decision_id = r.decision_id))"
    ),
}

APPEND = """
CREATE FUNCTION ledger.append_to_chain(of_table TEXT, of_key TEXT, of_hash BYTEA) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    before BYTEA;
    following BIGINT;
    link BYTEA;
BEGIN
    SELECT number + 1, hash INTO following, before FROM ledger.chain_head FOR UPDATE;
    link := sha256(before || convert_to(following || '|' || of_table || '|' || of_key || '|', 'UTF8') || of_hash);
    INSERT INTO ledger.chain VALUES (following, of_table, of_key, of_hash, link);
    UPDATE ledger.chain_head SET number = following, hash = link;
END
$$
"""


def content_function(table: str) -> str:
    """SQL of `ledger.hash_of_<table>(row)`: SHA-256 over the row as canonical JSON, times in UTC."""
    content = CONTENT.get(table, "to_jsonb(r)")
    return f"""
CREATE FUNCTION ledger.hash_of_{table}(r ledger.{table}) RETURNS BYTEA
LANGUAGE sql STABLE SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
    SELECT sha256(convert_to(({content})::text, 'UTF8'))
$$
"""


def chaining_function(table: str) -> str:
    key = CHAINED[table].replace("r.", "NEW.")
    return f"""
CREATE FUNCTION ledger.chain_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM ledger.append_to_chain('{table}', {key}, ledger.hash_of_{table}(NEW));
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    op.execute(APPEND)
    for table, key in CHAINED.items():
        op.execute(content_function(table))
        op.execute(chaining_function(table))
        # What was written before there was a chain enters it as it is found.
        found = f"ledger.append_to_chain('{table}', {key}, ledger.hash_of_{table}(r))"
        op.execute(f"SELECT {found} FROM ledger.{table} r")  # noqa: S608  constants of this file
        op.execute(
            f"CREATE CONSTRAINT TRIGGER chained AFTER INSERT ON ledger.{table} DEFERRABLE INITIALLY DEFERRED"
            f" FOR EACH ROW EXECUTE FUNCTION ledger.chain_{table}()"
        )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.chain"
        " FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()"
    )
