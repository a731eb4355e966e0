"""Locks after a protective exit (TRADING rule 13): who was stopped out does not buy back at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from trade_pipeline.execution.desk import Desk
from trade_pipeline.ledger.records import Lock, Order
from trade_pipeline.schemas.trading import PROTECTIVE


def lock_before_exit(desk: Desk, symbol: str) -> tuple[str, ...]:
    """Lock the strategies that hold the symbol, before it is sold: who dies in between leaves the lock behind.

    Returns the names that were not locked before.
    """
    held = desk.ledger.sleeves(desk.account, symbol)
    return _lock(desk, symbol, [name for name, amount in held.items() if amount > 0])


def lock_after_exit(desk: Desk, order: Order) -> None:
    """Lock the strategies that held the symbol until the cool-down ends or their score passes through zero."""
    intent = desk.ledger.intent(order.intent_id)
    held = desk.ledger.sleeves(desk.account, order.symbol)
    names = [name for name, amount in held.items() if amount > 0] or list(intent.sleeves if intent else {})
    _lock(desk, order.symbol, names)


def _lock(desk: Desk, symbol: str, names: Iterable[str]) -> tuple[str, ...]:
    until = desk.now() + timedelta(seconds=desk.settings.exits.lock_cooldown_s)
    locked = {(lock.strategy, lock.symbol) for lock in desk.ledger.locks(desk.account, desk.now())}
    new = tuple(name for name in names if (name, symbol) not in locked)
    for name in new:
        desk.ledger.lock(Lock(desk.account, name, symbol, "protective exit", desk.now(), until))
    return new


def lock_if_stopped(desk: Desk, before: Order, after: Order) -> None:
    """Lock when a stop has sold something between two views of it, whoever booked the trades."""
    if before.role in PROTECTIVE and after.filled > before.filled:
        lock_after_exit(desk, after)
