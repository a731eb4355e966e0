"""The first schema: decisions, orders, fills, flows, their projections, leases and notes."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE ledger.account_snapshots (
    snapshot_id TEXT NOT NULL,
    account TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    quote_asset TEXT NOT NULL,
    quote_free NUMERIC NOT NULL,
    quote_total NUMERIC NOT NULL,
    equity_quote NUMERIC NOT NULL,
    peak_equity_quote NUMERIC NOT NULL,
    positions JSONB NOT NULL,
    open_entries JSONB NOT NULL,
    marks JSONB NOT NULL,
    CONSTRAINT pk_account_snapshots PRIMARY KEY (snapshot_id)
);

CREATE TABLE ledger.cash (
    account TEXT NOT NULL,
    asset TEXT NOT NULL,
    amount NUMERIC NOT NULL,
    CONSTRAINT pk_cash PRIMARY KEY (account, asset)
);

CREATE TABLE ledger.claims (
    decision_id TEXT NOT NULL,
    job TEXT NOT NULL,
    run_id TEXT NOT NULL,
    claimed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_claims PRIMARY KEY (decision_id, job)
);

CREATE TABLE ledger.closed_trades (
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    number INTEGER NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    amount NUMERIC NOT NULL,
    entry_price NUMERIC NOT NULL,
    exit_price NUMERIC NOT NULL,
    profit_quote NUMERIC NOT NULL,
    fees_quote NUMERIC NOT NULL,
    exit_reason TEXT NOT NULL,
    strategy TEXT NOT NULL,
    CONSTRAINT pk_closed_trades PRIMARY KEY (account, symbol, number)
);

CREATE INDEX ix_closed_trades_account_closed_at ON ledger.closed_trades (account, closed_at);

CREATE TABLE ledger.equity (
    account TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    equity_quote NUMERIC NOT NULL,
    cash_quote NUMERIC NOT NULL,
    positions_quote NUMERIC NOT NULL,
    realised_quote NUMERIC NOT NULL,
    unrealised_quote NUMERIC NOT NULL,
    fees_quote NUMERIC NOT NULL,
    peak_quote NUMERIC NOT NULL,
    CONSTRAINT pk_equity PRIMARY KEY (account, at)
);

CREATE TABLE ledger.events (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    account TEXT NOT NULL,
    symbol TEXT,
    decision_id TEXT,
    client_order_id TEXT,
    detail JSONB NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (id)
);

CREATE INDEX ix_events_account_at ON ledger.events (account, at);

CREATE TABLE ledger.fills (
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    trade_id TEXT NOT NULL,
    venue_order_id TEXT NOT NULL,
    side TEXT NOT NULL,
    price NUMERIC NOT NULL,
    amount NUMERIC NOT NULL,
    fee NUMERIC NOT NULL,
    fee_asset TEXT NOT NULL,
    fee_quote NUMERIC,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    is_maker BOOLEAN NOT NULL,
    booked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_fills PRIMARY KEY (account, symbol, trade_id)
);

CREATE INDEX ix_fills_account_at ON ledger.fills (account, at);

CREATE INDEX ix_fills_account_fee_asset ON ledger.fills (account, fee_asset);

CREATE INDEX ix_fills_account_symbol_venue_order_id ON ledger.fills (account, symbol, venue_order_id);

CREATE TABLE ledger.flows (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    asset TEXT NOT NULL,
    amount NUMERIC NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    reference TEXT NOT NULL,
    symbol TEXT,
    price NUMERIC,
    CONSTRAINT pk_flows PRIMARY KEY (id),
    CONSTRAINT uq_flows_account_kind_asset_reference UNIQUE (account, kind, asset, reference)
);

CREATE TABLE ledger.heartbeats (
    process TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    detail JSONB NOT NULL,
    CONSTRAINT pk_heartbeats PRIMARY KEY (process)
);

CREATE TABLE ledger.intents (
    intent_id TEXT NOT NULL,
    account TEXT NOT NULL,
    decision_id TEXT,
    symbol TEXT NOT NULL,
    role TEXT NOT NULL,
    side TEXT NOT NULL,
    amount NUMERIC NOT NULL,
    strategy TEXT NOT NULL,
    sleeves JSONB NOT NULL,
    reason TEXT NOT NULL,
    decision_price NUMERIC,
    stop_distance NUMERIC,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_intents PRIMARY KEY (intent_id)
);

CREATE INDEX ix_intents_account_symbol_role_created_at ON ledger.intents (account, symbol, role, created_at);

CREATE TABLE ledger.leases (
    account TEXT NOT NULL,
    holder TEXT NOT NULL,
    token BIGINT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    exit_wanted_until TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_leases PRIMARY KEY (account)
);

CREATE TABLE ledger.locks (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    account TEXT NOT NULL,
    strategy TEXT NOT NULL,
    symbol TEXT NOT NULL,
    reason TEXT NOT NULL,
    locked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE,
    unlocked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_locks PRIMARY KEY (id)
);

CREATE INDEX ix_locks_account_symbol ON ledger.locks (account, symbol);

CREATE TABLE ledger.outcomes (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    decision_id TEXT NOT NULL,
    stage TEXT NOT NULL,
    outcome TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    detail JSONB NOT NULL,
    CONSTRAINT pk_outcomes PRIMARY KEY (id)
);

CREATE INDEX ix_outcomes_decision_id ON ledger.outcomes (decision_id);

CREATE TABLE ledger.positions (
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    amount NUMERIC NOT NULL,
    cost_quote NUMERIC NOT NULL,
    realised_quote NUMERIC NOT NULL,
    fees_quote NUMERIC NOT NULL,
    realised_total_quote NUMERIC NOT NULL,
    fees_total_quote NUMERIC NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    state JSONB NOT NULL,
    CONSTRAINT pk_positions PRIMARY KEY (account, symbol),
    CONSTRAINT ck_positions_amount_not_negative CHECK (amount >= 0)
);

CREATE TABLE ledger.sleeves (
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    strategy TEXT NOT NULL,
    amount NUMERIC NOT NULL,
    CONSTRAINT pk_sleeves PRIMARY KEY (account, symbol, strategy)
);

CREATE TABLE ledger.decisions (
    decision_id TEXT NOT NULL,
    account TEXT NOT NULL,
    mode TEXT NOT NULL,
    as_of TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
    run_id TEXT NOT NULL,
    partition TEXT NOT NULL,
    settings_hash TEXT NOT NULL,
    code_version TEXT NOT NULL,
    snapshot_id TEXT NOT NULL,
    inputs JSONB NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    detail JSONB NOT NULL,
    CONSTRAINT pk_decisions PRIMARY KEY (decision_id),
    CONSTRAINT fk_decisions_snapshot_id FOREIGN KEY(snapshot_id) REFERENCES ledger.account_snapshots (snapshot_id)
);

CREATE INDEX ix_decisions_account_as_of ON ledger.decisions (account, as_of);

CREATE TABLE ledger.orders (
    client_order_id TEXT NOT NULL,
    intent_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    role TEXT NOT NULL,
    side TEXT NOT NULL,
    type TEXT NOT NULL,
    amount NUMERIC NOT NULL,
    price NUMERIC,
    stop_price NUMERIC,
    time_in_force TEXT,
    state TEXT NOT NULL,
    venue_order_id TEXT,
    filled NUMERIC NOT NULL,
    quote_filled NUMERIC NOT NULL,
    planned_at TIMESTAMP WITH TIME ZONE NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    acknowledged_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_evidence TEXT NOT NULL,
    CONSTRAINT pk_orders PRIMARY KEY (client_order_id),
    CONSTRAINT ck_orders_amount_positive CHECK (amount > 0),
    CONSTRAINT uq_orders_intent_id_attempt UNIQUE (intent_id, attempt),
    CONSTRAINT uq_orders_account_symbol_venue_order_id UNIQUE (account, symbol, venue_order_id),
    CONSTRAINT fk_orders_intent_id FOREIGN KEY(intent_id) REFERENCES ledger.intents (intent_id)
);

CREATE INDEX ix_orders_account_planned_at ON ledger.orders (account, planned_at);

CREATE UNIQUE INDEX uq_orders_live_intent
ON ledger.orders (intent_id)
WHERE state IN ('OPEN', 'PARTIALLY_FILLED', 'PENDING_CANCEL', 'PLANNED', 'SENT', 'UNKNOWN');

CREATE UNIQUE INDEX uq_orders_live_role
ON ledger.orders (account, symbol, role)
WHERE state IN ('OPEN', 'PARTIALLY_FILLED', 'PENDING_CANCEL', 'PLANNED', 'SENT', 'UNKNOWN');

CREATE TABLE ledger.order_events (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    client_order_id TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    state TEXT NOT NULL,
    evidence TEXT NOT NULL,
    venue_order_id TEXT,
    CONSTRAINT pk_order_events PRIMARY KEY (id),
    CONSTRAINT fk_order_events_client_order_id FOREIGN KEY(client_order_id)
        REFERENCES ledger.orders (client_order_id)
);

CREATE INDEX ix_order_events_client_order_id_id ON ledger.order_events (client_order_id, id);

CREATE TABLE ledger.targets (
    decision_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    kind TEXT NOT NULL,
    quantity NUMERIC,
    price NUMERIC,
    stop_distance NUMERIC,
    score DOUBLE PRECISION,
    weight DOUBLE PRECISION,
    strategy TEXT NOT NULL,
    sleeves JSONB NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_targets PRIMARY KEY (decision_id, symbol),
    CONSTRAINT fk_targets_decision_id FOREIGN KEY(decision_id) REFERENCES ledger.decisions (decision_id)
);
"""

APPEND_ONLY = (
    "account_snapshots",
    "decisions",
    "targets",
    "outcomes",
    "claims",
    "intents",
    "order_events",
    "fills",
    "flows",
    "equity",
    "events",
)

REFUSE = """
CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$
"""


def upgrade() -> None:
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    op.execute(REFUSE)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.{table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()"
        )
