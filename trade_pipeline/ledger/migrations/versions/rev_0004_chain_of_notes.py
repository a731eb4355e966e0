"""Locks and the equity curve enter the chain; nobody removes a lock, a breaker or the chain's own head.

Of a lock what was frozen when it was made is hashed. When it was lifted is a row of its own, `lock_ends`, written in
the same transaction: the column `unlocked_at` is a projection of it.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE ledger.lock_ends (
    lock_id BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_lock_ends PRIMARY KEY (lock_id),
    CONSTRAINT fk_lock_ends_lock_id_locks FOREIGN KEY (lock_id) REFERENCES ledger.locks (id)
);
INSERT INTO ledger.lock_ends (lock_id, at) SELECT id, unlocked_at FROM ledger.locks WHERE unlocked_at IS NOT NULL;
"""

CHAINED = {
    "equity": "r.account || '|' || to_char(r.at AT TIME ZONE 'UTC', 'YYYYMMDD HH24MISS.US')",
    "locks": "r.id::text",
    "lock_ends": "r.lock_id::text",
}
"""Table -> a row's key as text, the same in every session. Frozen here, and again in `chain_tables`."""

CONTENT = {"locks": "to_jsonb(r) - 'unlocked_at'"}

NEVER_REMOVED = ("breakers", "chain_head", "locks")
"""Their rows change, but none ever goes."""


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
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.lock_ends"
        " FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()"
    )
    for table, key in CHAINED.items():
        op.execute(content_function(table))
        op.execute(chaining_function(table))
        # What was written before enters the chain as it is found.
        found = f"ledger.append_to_chain('{table}', {key}, ledger.hash_of_{table}(r))"
        op.execute(f"SELECT {found} FROM ledger.{table} r")  # noqa: S608  constants of this file
        op.execute(
            f"CREATE CONSTRAINT TRIGGER chained AFTER INSERT ON ledger.{table} DEFERRABLE INITIALLY DEFERRED"
            f" FOR EACH ROW EXECUTE FUNCTION ledger.chain_{table}()"
        )
    for table in NEVER_REMOVED:
        op.execute(
            f"CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON ledger.{table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()"
        )
