"""Projections made again from fills, flows and order events, beside the stored ones, symbol by symbol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, select, text

from trade_pipeline.ledger.cash import cash_by_events
from trade_pipeline.ledger.columns import SCHEMA
from trade_pipeline.ledger.findings import NAMED_MAX, Finding
from trade_pipeline.ledger.folding import Folded, fold_entries
from trade_pipeline.ledger.positions import symbols_of
from trade_pipeline.ledger.tables import cash, closed_trades, positions, sleeves

SYMBOLS_AT_ONCE = 20
_POSITION = ("amount", "cost_quote", "realised_total_quote", "fees_total_quote", "opened_at")
_CLOSED = ("amount", "entry_price", "exit_price", "profit_quote", "fees_quote", "opened_at", "closed_at")
_IMPOSSIBLE = (AssertionError, ArithmeticError, ValueError)
"""What arithmetic answers to rows that nobody here has written: a trade twice, an amount that is no number."""
Values = Mapping[tuple[object, ...], object]


def projections_differ(connection: Connection, account: str) -> Iterator[Finding]:
    yield from islice(_by_symbol(connection, account), NAMED_MAX)
    yield from islice(_cash(connection, account), NAMED_MAX)
    yield from islice(_quantities(connection, account), NAMED_MAX)


def _by_symbol(connection: Connection, account: str) -> Iterator[Finding]:
    symbols = sorted(symbols_of(connection, account))
    for first in range(0, len(symbols), SYMBOLS_AT_ONCE):
        batch = symbols[first : first + SYMBOLS_AT_ONCE]
        folded, impossible = _folded(connection, account, batch)
        yield from impossible
        for table, made in _made(folded).items():
            stored = _stored(connection, table, account, batch)
            yield from _compared(f"{table.name} {account}", stored, made)


def _folded(connection: Connection, account: str, symbols: Sequence[str]) -> tuple[list[Folded], list[Finding]]:
    """The symbols as their entries give them; those whose rows, forged or damaged, give nothing are named."""
    try:
        return fold_entries(connection, account, symbols, {}, symbols), []
    except _IMPOSSIBLE as error:
        if len(symbols) == 1:
            detail = f"its events add up to no position: {error or type(error).__name__}"
            return [], [Finding("projection differs", f"positions {account} {symbols[0]}", detail)]
    folded, findings = [], []
    for symbol in symbols:
        some, impossible = _folded(connection, account, [symbol])
        folded += some
        findings += impossible
    return folded, findings


def _made(folded: Sequence[Folded]) -> dict[Table, Values]:
    return {
        positions: {
            (item.symbol,): (
                item.state.amount,
                item.state.cost,
                item.state.realised_total,
                item.state.fees_total,
                item.state.opened_at,
            )
            for item in folded
        },
        sleeves: {(item.symbol, name): (amount,) for item in folded for name, amount in item.state.sleeves.items()},
        closed_trades: {
            (item.symbol, trade.number): tuple(asdict(trade)[name] for name in _CLOSED)
            for item in folded
            for trade in item.finished
        },
    }


def _stored(connection: Connection, table: Table, account: str, symbols: Sequence[str]) -> Values:
    names: dict[Table, tuple[tuple[str, ...], tuple[str, ...]]] = {
        positions: (("symbol",), _POSITION),
        sleeves: (("symbol", "strategy"), ("amount",)),
        closed_trades: (("symbol", "number"), _CLOSED),
    }
    keys, values = names[table]
    query = select(*(table.c[name] for name in (*keys, *values)))
    found = connection.execute(query.where(table.c.account == account, table.c.symbol.in_(symbols)))
    return {tuple(row[: len(keys)]): tuple(row[len(keys) :]) for row in found}


def _compared(place: str, stored: Values, made: Values) -> Iterator[Finding]:
    for key in sorted(stored.keys() | made.keys(), key=str):
        if stored.get(key) != made.get(key):
            detail = f"the ledger says {_shown(stored.get(key))}, its events give {_shown(made.get(key))}"
            yield Finding("projection differs", f"{place} {' '.join(map(str, key))}", detail)


def _shown(values: Any) -> str:
    return "nothing" if values is None else ", ".join(str(value) for value in values)


def _cash(connection: Connection, account: str) -> Iterator[Finding]:
    """Invariant 1. A balance of nothing may be a row or none."""
    stored = connection.execute(select(cash.c.asset, cash.c.amount).where(cash.c.account == account))
    kept: Values = {(row.asset,): (row.amount,) for row in stored if row.amount}
    made: Values = {(asset,): (amount,) for asset, amount in cash_by_events(connection, account).items() if amount}
    yield from _compared(f"cash {account}", kept, made)


def _quantities(connection: Connection, account: str) -> Iterator[Finding]:
    """Invariant 4: an order's quantity is the sum of its trades."""
    query = text(f"""
SELECT o.client_order_id, o.filled, o.quote_filled, coalesce(f.base, 0) AS base, coalesce(f.quote, 0) AS quote
FROM {SCHEMA}.orders o LEFT JOIN (
    SELECT account, symbol, venue_order_id, sum(amount) AS base, sum(price * amount) AS quote
    FROM {SCHEMA}.fills WHERE account = :account GROUP BY account, symbol, venue_order_id
) f USING (account, symbol, venue_order_id)
WHERE o.account = :account AND (o.filled <> coalesce(f.base, 0) OR o.quote_filled <> coalesce(f.quote, 0))
ORDER BY o.client_order_id
""")  # noqa: S608  the schema is a constant
    for row in connection.execute(query, {"account": account}):
        detail = f"the ledger says {row.filled}, {row.quote_filled}; its events give {row.base}, {row.quote}"
        yield Finding("projection differs", f"orders {account} {row.client_order_id}", detail)
