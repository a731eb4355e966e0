"""What the exchange has on disk, when the disk is full."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from trade_pipeline.exchange.store import Store
from trade_pipeline_tests.exchange.builders import engine, place


def test_what_a_full_disk_refused_is_saved_with_what_comes_after_it(tmp_path: Path) -> None:
    """An exchange that is killed later must not have forgotten orders and trades of that time."""
    on, store = engine(), Store(tmp_path / "exchange.sqlite")
    store.save(on.state)
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count={pages}")
    for number in range(100):
        place(on, "buy", "LIMIT", "0.2", price=50 + number / 10)
        place(on, "buy", "MARKET", "0.1")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.save(on.state)
    store._db.execute("PRAGMA max_page_count=1000000")
    place(on, "buy", "LIMIT", "0.2", price=40)
    store.save(on.state)
    store.close()
    loaded = Store(tmp_path / "exchange.sqlite").load()
    assert loaded is not None
    assert loaded.orders == on.state.orders
    assert len(loaded.orders) == 201
    assert loaded.trades == on.state.trades
    assert loaded.balances.locked("USDT") == on.state.balances.locked("USDT")
