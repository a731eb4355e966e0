"""Everything the engine remembers, and the look-ups on it. What changes is marked, so that a store can save it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from trade_pipeline.exchange.engine.balances import Balances
from trade_pipeline.exchange.engine.orders import Changes, Order, OrderList, Step, Trade


@dataclass(slots=True)
class Cursor:
    """How far a symbol's path has been played, and what our orders took of the step where it stands (lots)."""

    step: Step
    taken: int = 0


@dataclass
class State:
    balances: Balances
    orders: dict[int, Order] = field(default_factory=dict)
    lists: dict[int, OrderList] = field(default_factory=dict)
    trades: dict[str, list[Trade]] = field(default_factory=dict)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    last_prices: dict[str, Decimal] = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)
    _open: dict[str, dict[int, Order]] = field(default_factory=dict)
    _by_client_id: dict[tuple[str, str], int] = field(default_factory=dict)
    _lists_by_client_id: dict[str, int] = field(default_factory=dict)
    _trades_by_order: dict[int, list[Trade]] = field(default_factory=dict)

    @classmethod
    def opening(cls, balances: Mapping[str, Decimal]) -> State:
        return cls(Balances(balances))

    def open_orders(self, symbol: str) -> list[Order]:
        """Open orders of one symbol, oldest first."""
        return list(self._open.get(symbol, {}).values())

    def has_open_orders(self, symbol: str) -> bool:
        return bool(self._open.get(symbol))

    def all_open_orders(self) -> Iterator[Order]:
        for orders in self._open.values():
            yield from orders.values()

    def next_order_id(self) -> int:
        return len(self.orders) + 1

    def next_list_id(self) -> int:
        return len(self.lists) + 1

    def next_trade_id(self, symbol: str) -> int:
        trades = self.trades.get(symbol)
        return trades[-1].id + 1 if trades else 1

    def by_client_id(self, symbol: str, client_order_id: str) -> Order | None:
        """The newest order of the symbol with this client id."""
        found = self._by_client_id.get((symbol, client_order_id))
        return self.orders[found] if found is not None else None

    def list_by_client_id(self, client_list_id: str) -> OrderList | None:
        found = self._lists_by_client_id.get(client_list_id)
        return self.lists[found] if found is not None else None

    def trades_of(self, order_id: int) -> list[Trade]:
        return self._trades_by_order.get(order_id, [])

    def touch(self, order: Order) -> None:
        """Index an order after it was made or changed, and mark it for saving."""
        self.orders[order.id] = order
        self._by_client_id[order.symbol, order.client_order_id] = order.id
        open_here = self._open.setdefault(order.symbol, {})
        if order.is_open:
            open_here[order.id] = order
        else:
            open_here.pop(order.id, None)
        self.changes.orders[order.id] = order
        self.changes.symbols.add(order.symbol)

    def touch_list(self, order_list: OrderList) -> None:
        self.lists[order_list.id] = order_list
        self._lists_by_client_id[order_list.client_list_id] = order_list.id
        self.changes.lists[order_list.id] = order_list

    def add_trade(self, trade: Trade) -> None:
        self.trades.setdefault(trade.symbol, []).append(trade)
        self._trades_by_order.setdefault(trade.order_id, []).append(trade)
        self.changes.trades.append(trade)

    def unsaved(self) -> Changes:
        """What changed since `forget_changes`; the caller saves it before it answers anybody."""
        self.changes.assets = set(self.balances.changed)
        return self.changes

    def forget_changes(self) -> None:
        """They are on disk. Not before: what a full disk refused is saved with what comes after it."""
        self.changes = Changes()
        self.balances.changed.clear()
