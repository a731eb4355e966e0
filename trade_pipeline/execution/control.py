"""Files in `control/` by which people and processes steer a stack without any server: pause, flatten, positions.

`pause.json` stops orders that increase exposure. `flatten.json` says that somebody sells everything right now, so
that nobody else sends. `positions.json` is the guard's last view of what is ours, for `flatten` without a database.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from trade_pipeline.errors import GateClosed, LedgerError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import write_private

STEADY_READS_MAX = 5
UNBOOKED_S_MAX = 15.0
"""How long after a flatten the others wait for its journal to be booked; longer, and positions would lack stops."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A managed position as of the trade `last_trade_id`: trades after it are not in `amount` yet.

    `live_order_ids` are the exchange's ids of our orders that rested then, and may have filled since. A position
    that is not `dated` says what was ours, but not when: it only names a symbol to look at.
    """

    symbol: str
    amount: Decimal
    dated: bool = True
    last_trade_id: str | None = None
    live_order_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RecordedPositions:
    """positions.json. `at` is when the ledger was read; None in a file that does not say."""

    account: str
    at: datetime | None
    positions: Mapping[str, Recorded] = field(default_factory=dict)


def pause(home: Home, reason: str, at: datetime) -> None:
    """From now on nothing is sent that increases exposure; stops and exits go on. Needs no server."""
    write_private(home.pause, json.dumps({"reason": reason, "at": at.isoformat()}) + "\n")


def resume(home: Home) -> bool:
    """Lift the pause, and the mark of a `flatten` that died. False if there was no pause.

    Raises GateClosed while a `flatten` runs: it must end first.
    """
    if flatten_runs(home):
        raise GateClosed("a flatten is selling everything", thing=str(home.root), repair="Wait until it has ended.")
    flatten_file(home).unlink(missing_ok=True)
    existed = home.pause.exists()
    home.pause.unlink(missing_ok=True)
    return existed


def paused(home: Home) -> str | None:
    """Why orders that increase exposure are paused; None when they are not. An unreadable file counts as paused."""
    try:
        stored = json.loads(home.pause.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return "the pause file cannot be read"
    return str(stored.get("reason") or "no reason given") if isinstance(stored, dict) else "paused"


def flatten_file(home: Home) -> Path:
    return home.control / "flatten.json"


def flatten_runs(home: Home) -> bool:
    """Whether the process that wrote the mark lives and has not ended its work."""
    try:
        stored = json.loads(flatten_file(home).read_text())
        return "ended" not in stored and pid_lives(int(stored["pid"]))
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError):
        return True  # somebody is writing it


def flattening(home: Home) -> bool:
    """Whether nobody else may send: a `flatten` runs, or ended so lately that the ledger may not know its sales.

    The mark of one that was killed does not count. Without the pause after the end, a guard that still sees the
    position would put a stop over coins that are not ours.
    """
    if flatten_runs(home):
        return True
    try:
        ended_s_ago = time.time() - flatten_file(home).stat().st_mtime
        return "ended" in json.loads(flatten_file(home).read_text()) and ended_s_ago < UNBOOKED_S_MAX
    except (OSError, ValueError):
        return False


def pid_lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def flatten_mark(home: Home, at: datetime) -> Iterator[None]:
    """Hold `flatten.json` for as long as the block runs; what remains of it says that it ended.

    Raises GateClosed when another flatten runs.
    """
    if flatten_runs(home):
        raise GateClosed("another flatten runs already", thing=str(home.root), repair="Wait until it has ended.")
    write_private(flatten_file(home), json.dumps({"pid": os.getpid(), "at": at.isoformat()}) + "\n")
    try:
        yield
    finally:
        write_private(flatten_file(home), json.dumps({"pid": os.getpid(), "at": at.isoformat(), "ended": True}) + "\n")


def record_positions(
    home: Home, ledger: Ledger, account: str, at: datetime, shown: Mapping[str, Mapping[str, str]] | None = None
) -> bool:
    """Write positions.json from the ledger; the guard does it every cycle. False when nothing has changed.

    `shown` adds fields for people by symbol (average_price, stop_price). Positions and trade ids are read in several
    transactions, so they are read until no trade came in between: one that is counted twice could later sell coins
    that are not ours. Raises LedgerError.
    """
    live = ledger.live_orders(account)
    symbols = {order.symbol for order in live} | {position.symbol for position in ledger.positions(account)}
    for _ in range(STEADY_READS_MAX):
        newest = {symbol: ledger.last_trade_id(account, symbol) for symbol in symbols}
        amounts = {position.symbol: position.amount for position in ledger.positions(account)}
        symbols |= set(amounts)
        if newest == {symbol: ledger.last_trade_id(account, symbol) for symbol in symbols}:
            break
    else:
        raise LedgerError("positions did not stand still while they were read", thing=f"account {account}")
    ids: dict[str, list[str]] = {}
    for order in live:
        if order.venue_order_id is not None:
            ids.setdefault(order.symbol, []).append(order.venue_order_id)
    rows = [
        {
            **(shown or {}).get(symbol, {}),
            "symbol": symbol,
            "amount": f"{amounts.get(symbol, Decimal(0)):f}",
            "last_trade_id": newest[symbol],
            "live_order_ids": sorted(ids.get(symbol, [])),
        }
        for symbol in sorted(symbols)
    ]
    return _write_changed(home.positions, {"account": account, "positions": rows}, at)


def _write_changed(path: Path, content: Mapping[str, object], at: datetime) -> bool:
    """Write `content` with the time, unless the file holds the same at an earlier time."""
    try:
        stored = json.loads(path.read_text())
        stored.pop("at", None)
        if stored == content:
            return False
    except (OSError, ValueError, AttributeError):
        pass  # there is none, or it is worth replacing
    write_private(path, json.dumps({**content, "at": at.isoformat()}, sort_keys=True) + "\n")
    return True


def read_positions(home: Home) -> RecordedPositions | None:
    """positions.json; None when there is none. Raises GateClosed for one that cannot be read: nothing is guessed."""
    try:
        stored = json.loads(home.positions.read_text())
        rows = [_recorded(row) for row in stored["positions"]]
        return RecordedPositions(
            account=str(stored["account"]),
            at=datetime.fromisoformat(stored["at"]) if "at" in stored else None,
            positions={row.symbol: row for row in rows},
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise GateClosed(
            "the record of managed positions cannot be read",
            thing=str(home.positions),
            value=type(error).__name__,
            repair="Remove it: what is ours is then worked out from our orders on the exchange.",
        ) from error


def _recorded(row: Mapping[str, Any]) -> Recorded:
    dated = "last_trade_id" in row
    last = row.get("last_trade_id")
    return Recorded(
        symbol=str(row["symbol"]),
        amount=Decimal(row["amount"]),
        dated=dated,
        last_trade_id=None if last is None else str(last),
        live_order_ids=frozenset(map(str, row.get("live_order_ids", ()))),
    )
