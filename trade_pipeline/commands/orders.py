"""`explain` without an id: the newest orders, so that one of them can be named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from trade_pipeline.commands.context import ledger_of, open_context
from trade_pipeline.commands.output import say
from trade_pipeline.ledger.records import Order
from trade_pipeline.ledger.rows import plain

ORDERS_SHOWN = 20
_ROW = "{:<32} {:<19} {:<14} {:<6} {:<4} {:>16} {}"
_HEAD = _ROW.format("client order id", "UTC", "symbol", "role", "side", "amount", "state")


def show_orders(home: Path | None, *, as_json: bool) -> None:
    """The newest orders of the account, newest first. Raises LedgerUnavailable."""
    context = open_context(home)
    with ledger_of(context) as ledger:
        found = ledger.orders(context.settings.account, limit=ORDERS_SHOWN)
    if as_json:
        say(json.dumps(plain(found), indent=2))
        return
    for line in lines_of(found):
        say(line)


def lines_of(orders: Sequence[Order]) -> list[str]:
    """What is printed."""
    if not orders:
        return ["there is no order yet"]
    return [_HEAD, *map(_line, orders), "`trade-pipeline explain ID` tells the story of one of them"]


def _line(order: Order) -> str:
    request = order.request
    at = f"{order.planned_at:%Y-%m-%d %H:%M:%S}"
    amount = f"{request.amount.normalize():f}"
    return _ROW.format(order.client_order_id, at, order.symbol, order.role, request.side, amount, order.state)
