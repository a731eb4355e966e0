"""Positions, sleeves and closed trades brought up to what was booked: of many symbols in a handful of statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from trade_pipeline.ledger.base import write_events
from trade_pipeline.ledger.entries import entries_of
from trade_pipeline.ledger.fold import Closed, Key, Running, fold, from_json, to_json
from trade_pipeline.ledger.records import Event
from trade_pipeline.ledger.tables import closed_trades, positions, sleeves


@dataclass(frozen=True, slots=True)
class Folded:
    """A symbol after its entries, and the round trips that they finished. `oversold`: they sold more than there was."""

    symbol: str
    state: Running
    finished: Sequence[Closed]
    oversold: bool


def book_into_positions(
    connection: Connection, account: str, symbols: Iterable[str], now: datetime, *, from_start: Collection[str] = ()
) -> None:
    """Bring the symbols' positions up to the booked fills. Those in `from_start` are folded again from nothing."""
    _book_onto(connection, account, symbols, _states(connection, account, set(symbols)), from_start, now)


def book_new_entries(connection: Connection, account: str, first: Mapping[str, datetime], now: datetime) -> None:
    """Bring symbols with new entries up to them. `first`: symbol -> time of the earliest one; late ones fold anew."""
    known = _states(connection, account, first)
    _book_onto(connection, account, first, known, _late(known, first), now)


def _book_onto(
    connection: Connection,
    account: str,
    symbols: Iterable[str],
    known: Mapping[str, Running],
    from_start: Collection[str],
    now: datetime,
) -> None:
    wanted = sorted(set(symbols))
    folded = fold_entries(connection, account, wanted, known, from_start)
    _store(connection, account, folded, now, [item.symbol for item in folded if item.symbol in from_start])
    write_events(connection, [_oversold(account, item, known, now) for item in folded if item.oversold])


def fold_entries(
    connection: Connection,
    account: str,
    symbols: Iterable[str],
    known: Mapping[str, Running],
    from_start: Collection[str],
) -> list[Folded]:
    """What the symbols' positions are by their entries; nothing is written. `known`: the states to go on from."""
    starts = {symbol: Running() if symbol in from_start else known.get(symbol, Running()) for symbol in symbols}
    since = {symbol: start.key[0] if start.key else None for symbol, start in starts.items()}
    entries = entries_of(connection, account, since)
    folded = []
    for symbol, start in starts.items():
        new = [entry for entry in entries.get(symbol, ()) if _after(entry.key, start.key)]
        if symbol not in known and all(entry.kind == "fee" for entry in new):
            continue  # a fee was paid with coins of which none are managed
        state, finished = fold(new, start)
        before = known.get(symbol, Running())
        folded.append(Folded(symbol, state, finished, state.oversold > before.oversold))
    return folded


def late_symbols(connection: Connection, account: str, first: Mapping[str, datetime]) -> set[str]:
    """Of symbols with the time of their earliest new entry: those where it may belong before what was folded."""
    return _late(_states(connection, account, first), first)


def _late(known: Mapping[str, Running], first: Mapping[str, datetime]) -> set[str]:
    return {symbol for symbol, state in known.items() if state.key is not None and first[symbol] <= state.key[0]}


def _states(connection: Connection, account: str, symbols: Collection[str]) -> dict[str, Running]:
    query = select(positions.c.symbol, positions.c.state).where(
        positions.c.account == account, positions.c.symbol.in_(list(symbols))
    )
    return {row.symbol: from_json(row.state) for row in connection.execute(query)}


def _after(key: Key, last: Key | None) -> bool:
    return last is None or key > last


def _oversold(account: str, item: Folded, known: Mapping[str, Running], now: datetime) -> Event:
    detail = {"oversold": item.state.oversold, "before": known.get(item.symbol, Running()).oversold}
    return Event(now, "sold_above_position", "error", account, item.symbol, detail=detail)


def _store(connection: Connection, account: str, folded: Sequence[Folded], now: datetime, again: Sequence[str]) -> None:
    """`again`: symbols whose closed trades are all among the folded ones."""
    if not folded:
        return
    statement = upsert(positions)
    columns = [column.name for column in positions.c if column.name not in {"account", "symbol"}]
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[positions.c.account, positions.c.symbol],
            set_={name: statement.excluded[name] for name in columns},
        ).returning(positions.c.symbol),  # without it SQLAlchemy would send each row by itself
        [_position_values(account, item, now) for item in folded],
    )
    symbols = [item.symbol for item in folded]
    connection.execute(delete(sleeves).where(sleeves.c.account == account, sleeves.c.symbol.in_(symbols)))
    parts = [
        {"account": account, "symbol": item.symbol, "strategy": name, "amount": amount}
        for item in folded
        for name, amount in item.state.sleeves.items()
    ]
    if parts:
        connection.execute(insert(sleeves), parts)
    if again:
        mine = (closed_trades.c.account == account, closed_trades.c.symbol.in_(again))
        connection.execute(delete(closed_trades).where(*mine))
    closed = [{"account": account, "symbol": item.symbol} | asdict(trade) for item in folded for trade in item.finished]
    if closed:
        connection.execute(insert(closed_trades), closed)


def _position_values(account: str, item: Folded, now: datetime) -> dict[str, object]:
    state = item.state
    return {
        "account": account,
        "symbol": item.symbol,
        "amount": state.amount,
        "cost_quote": state.cost,
        "realised_quote": state.trade_realised,
        "fees_quote": state.trade_fees,
        "realised_total_quote": state.realised_total,
        "fees_total_quote": state.fees_total,
        "opened_at": state.opened_at,
        "updated_at": state.key[0] if state.key else now,
        "state": to_json(state),
    }
