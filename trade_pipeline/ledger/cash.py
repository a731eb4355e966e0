"""What every asset's balance should be: opening + typed flows + fills - fees (invariant 1), ours and foreign alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal, localcontext
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from trade_pipeline.ledger.entries import UNMOVING, base_and_quote
from trade_pipeline.ledger.fold import EXACT
from trade_pipeline.ledger.tables import cash, fills, flows
from trade_pipeline.schemas.trading import Side

ROWS_AT_ONCE = 2000


def balance_changes(trades: Iterable[Row[Any]]) -> dict[str, Decimal]:
    """asset -> signed change by these rows of fills; exact."""
    changes: dict[str, Decimal] = defaultdict(Decimal)
    with localcontext(EXACT):
        for row in trades:
            base, quote = base_and_quote(row.symbol)
            sign = 1 if row.side == Side.BUY else -1
            changes[base] += sign * row.amount
            changes[quote] -= sign * row.amount * row.price
            changes[row.fee_asset] -= row.fee
    return dict(changes)


def add_to_cash(connection: Connection, account: str, changes: Mapping[str, Decimal]) -> None:
    if not changes:
        return
    statement = upsert(cash)
    adding = statement.on_conflict_do_update(
        index_elements=[cash.c.account, cash.c.asset], set_={"amount": cash.c.amount + statement.excluded.amount}
    )
    # In the order of the names: two writers then lock the rows in the same order. SQLAlchemy sends many rows in one
    # statement only where something is returned.
    connection.execute(
        adding.returning(cash.c.asset),
        [{"account": account, "asset": asset, "amount": change} for asset, change in sorted(changes.items())],
    )


def cash_by_events(connection: Connection, account: str) -> dict[str, Decimal]:
    """asset -> balance as all fills and flows of the account give it; the rows are streamed."""
    changes: dict[str, Decimal] = defaultdict(Decimal)
    streamed = {"yield_per": ROWS_AT_ONCE}
    booked = connection.execute(select(fills).where(fills.c.account == account), execution_options=streamed)
    moved = select(flows).where(flows.c.account == account)
    with localcontext(EXACT):
        for asset, change in balance_changes(booked).items():
            changes[asset] += change
        for row in connection.execute(moved, execution_options=streamed):
            if row.kind not in UNMOVING:
                changes[row.asset] += row.amount
    return dict(changes)


def rebuild_cash(connection: Connection, account: str) -> None:
    changes = cash_by_events(connection, account)
    connection.execute(delete(cash).where(cash.c.account == account))
    values = [{"account": account, "asset": asset, "amount": amount} for asset, amount in sorted(changes.items())]
    if values:
        connection.execute(insert(cash), values)
