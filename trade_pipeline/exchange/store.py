"""The exchange's memory on disk: SQLite in WAL mode, written before anybody is answered.

`synchronous=NORMAL` survives a killed process; only a power cut could lose the last commits. Rows are JSON, so that
amounts keep their digits.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from trade_pipeline.exchange.engine.balances import Balances
from trade_pipeline.exchange.engine.orders import Changes, Order, OrderList, Step, Trade
from trade_pipeline.exchange.engine.state import Cursor, State
from trade_pipeline.schemas.trading import OrderType, Side, TimeInForce

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS balances (asset TEXT PRIMARY KEY, free TEXT NOT NULL, locked TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lists (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trades (symbol TEXT, id INTEGER, body TEXT NOT NULL, PRIMARY KEY (symbol, id));
CREATE TABLE IF NOT EXISTS cursors (symbol TEXT PRIMARY KEY, body TEXT NOT NULL);
"""


class Store:
    """One connection, one writer. A commit is everything that one request changed."""

    def __init__(self, path: Path | None) -> None:
        """`None` keeps everything in memory (tests)."""
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        # Opened by the thread that starts the server and used by its event loop alone.
        self._db = sqlite3.connect(
            str(path) if path is not None else ":memory:", isolation_level=None, check_same_thread=False
        )
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def meta(self) -> dict[str, str]:
        return dict(self._db.execute("SELECT name, value FROM meta").fetchall())

    def write_meta(self, values: Mapping[str, str]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(values.items()))

    def save(self, state: State) -> None:
        """Write what has changed since the last save, in one transaction. What cannot be written stays unsaved."""
        changes = state.unsaved()
        if not changes:
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._write(state, changes)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # Some errors of the disk have ended it already.
                self._db.execute("ROLLBACK")
            raise
        state.forget_changes()

    def load(self) -> State | None:
        """The stored state, or None in a fresh home."""
        balances = self._db.execute("SELECT asset, free, locked FROM balances").fetchall()
        if not balances:
            return None
        state = State(Balances({}))
        for asset, free, locked in balances:
            state.balances.restore(asset, Decimal(free), Decimal(locked))
        for (body,) in self._db.execute("SELECT body FROM lists ORDER BY id"):
            row = json.loads(body)
            state.touch_list(OrderList(**(row | {"order_ids": tuple(row["order_ids"])})))
        for (body,) in self._db.execute("SELECT body FROM orders ORDER BY id"):
            state.touch(_order(json.loads(body)))
        for (body,) in self._db.execute("SELECT body FROM trades ORDER BY symbol, id"):
            state.add_trade(_trade(json.loads(body)))
        for symbol, body in self._db.execute("SELECT symbol, body FROM cursors"):
            row = json.loads(body)
            state.cursors[symbol] = Cursor(Step(**row["step"]), row["taken"])
        state.forget_changes()
        return state

    def _write(self, state: State, changes: Changes) -> None:
        put = self._db.executemany
        put("INSERT OR REPLACE INTO orders VALUES (?, ?)", [(o.id, _json(o)) for o in changes.orders.values()])
        put("INSERT OR REPLACE INTO lists VALUES (?, ?)", [(o.id, _json(o)) for o in changes.lists.values()])
        put("INSERT OR REPLACE INTO trades VALUES (?, ?, ?)", [(t.symbol, t.id, _json(t)) for t in changes.trades])
        put(
            "INSERT OR REPLACE INTO balances VALUES (?, ?, ?)",
            [(a, str(state.balances.free(a)), str(state.balances.locked(a))) for a in sorted(changes.assets)],
        )
        cursors = [(symbol, _json(state.cursors[symbol])) for symbol in changes.symbols if symbol in state.cursors]
        put("INSERT OR REPLACE INTO cursors VALUES (?, ?)", cursors)


def _json(value: Any) -> str:
    return json.dumps(asdict(value), default=str, separators=(",", ":"))


_ORDER_DECIMALS = tuple(field.name for field in fields(Order) if field.type == "Decimal")
_TRADE_DECIMALS = tuple(field.name for field in fields(Trade) if field.type == "Decimal")


def _order(row: dict[str, Any]) -> Order:
    row |= {name: Decimal(row[name]) for name in _ORDER_DECIMALS}
    row |= {
        "side": Side(row["side"]),
        "type": OrderType(row["type"]),
        "time_in_force": TimeInForce(row["time_in_force"]),
    }
    return Order(**row)


def _trade(row: dict[str, Any]) -> Trade:
    row |= {name: Decimal(row[name]) for name in _TRADE_DECIMALS}
    return Trade(**(row | {"side": Side(row["side"])}))
