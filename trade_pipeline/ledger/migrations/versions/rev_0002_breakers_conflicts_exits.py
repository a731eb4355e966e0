"""Breakers, conflicts, the memory of exits, verdicts of buy guards, counts of recoveries; whose an adjustment is."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE ledger.breakers (
    account TEXT NOT NULL,
    scope TEXT NOT NULL,
    state TEXT NOT NULL,
    dimension TEXT NOT NULL,
    reason TEXT NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    stage INTEGER NOT NULL,
    detail JSONB NOT NULL,
    CONSTRAINT pk_breakers PRIMARY KEY (account, scope)
);

CREATE TABLE ledger.conflicts (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    conflict_id TEXT NOT NULL,
    account TEXT NOT NULL,
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    ledger_amount NUMERIC,
    exchange_amount NUMERIC,
    strategy TEXT NOT NULL,
    outcome TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    detail JSONB NOT NULL,
    CONSTRAINT pk_conflicts PRIMARY KEY (id)
);

CREATE INDEX ix_conflicts_account_at ON ledger.conflicts (account, at);

CREATE INDEX ix_conflicts_conflict_id_id ON ledger.conflicts (conflict_id, id);

CREATE TABLE ledger.exit_states (
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    highest NUMERIC,
    trailing_active BOOLEAN NOT NULL,
    protection TEXT NOT NULL,
    switched_at TIMESTAMP WITH TIME ZONE,
    stages_done INTEGER NOT NULL,
    detail JSONB NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_exit_states PRIMARY KEY (account, symbol)
);

CREATE TABLE ledger.guard_verdicts (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    decision_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    guard TEXT NOT NULL,
    passed BOOLEAN NOT NULL,
    value TEXT NOT NULL,
    "limit" TEXT NOT NULL,
    reason TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_guard_verdicts PRIMARY KEY (id)
);

CREATE INDEX ix_guard_verdicts_decision_id ON ledger.guard_verdicts (decision_id);

CREATE TABLE ledger.recoveries (
    day DATE NOT NULL,
    component TEXT NOT NULL,
    error TEXT NOT NULL,
    action TEXT NOT NULL,
    recovered BOOLEAN NOT NULL,
    count BIGINT NOT NULL,
    CONSTRAINT pk_recoveries PRIMARY KEY (day, component, error, action, recovered)
);

ALTER TABLE ledger.flows ADD COLUMN strategy TEXT;
"""

APPEND_ONLY = ("conflicts", "guard_verdicts")


def upgrade() -> None:
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.{table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()"
        )
