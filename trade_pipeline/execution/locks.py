"""Locks after a protective exit (TRADING rule 13): who was stopped out does not buy back at once."""

from __future__ import annotations

from datetime import timedelta

from trade_pipeline.execution.desk import Desk
from trade_pipeline.ledger.records import Lock, Order
from trade_pipeline.schemas.trading import Role


def lock_after_exit(desk: Desk, order: Order) -> None:
    """Lock the strategies that held the symbol until the cool-down ends or their score passes through zero."""
    intent = desk.ledger.intent(order.intent_id)
    until = desk.now() + timedelta(seconds=desk.settings.exits.lock_cooldown_s)
    held = desk.ledger.sleeves(desk.account, order.symbol)
    names = [name for name, amount in held.items() if amount > 0] or list(intent.sleeves if intent else {})
    locked = {(lock.strategy, lock.symbol) for lock in desk.ledger.locks(desk.account, desk.now())}
    for name in names:
        if (name, order.symbol) not in locked:
            desk.ledger.lock(Lock(desk.account, name, order.symbol, "protective exit", desk.now(), until))


def lock_if_stopped(desk: Desk, before: Order, after: Order) -> None:
    """Lock when a stop has sold something between two views of it, whoever booked the trades."""
    if before.role == Role.PROTECT and after.filled > before.filled:
        lock_after_exit(desk, after)
