"""What really is: the account as the exchange's engine knows it. The ledger is not asked here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from functools import cached_property

from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.exchange.engine.orders import Order, Trade
from trade_pipeline.schemas.trading import OrderType, Side

ZERO = Decimal(0)
PROTECTIVE_TYPES = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})


class Truth:
    """A view of the engine at one moment; what it answers is computed once. `prefix`: first characters of our ids."""

    def __init__(self, engine: Engine, prefix: str) -> None:
        self.engine = engine
        self.prefix = prefix

    @cached_property
    def ours(self) -> list[Order]:
        """Every order with our prefix that the exchange ever accepted, oldest first."""
        return [order for order in self.engine.state.orders.values() if self.is_ours(order)]

    @cached_property
    def ours_by_client_id(self) -> dict[str, list[Order]]:
        found: dict[str, list[Order]] = defaultdict(list)
        for order in self.ours:
            found[order.client_order_id].append(order)
        return found

    @cached_property
    def our_open(self) -> list[Order]:
        return [order for order in self.engine.state.all_open_orders() if self.is_ours(order)]

    @cached_property
    def trades(self) -> dict[tuple[str, str], Trade]:
        """All fills of the account by (symbol, trade id), manual ones included."""
        return {
            (symbol, str(trade.id)): trade for symbol, trades in self.engine.state.trades.items() for trade in trades
        }

    def is_ours(self, order: Order) -> bool:
        return order.client_order_id.startswith(self.prefix)

    def is_our_trade(self, trade: Trade) -> bool:
        return self.is_ours(self.engine.state.orders[trade.order_id])

    def total(self, asset: str) -> Decimal:
        balances = self.engine.state.balances
        return balances.free(asset) + balances.locked(asset)

    def locked_by_others(self, asset: str) -> Decimal:
        """Coins that open sells of others hold: nobody else can stop or sell them."""
        theirs = (order for order in self.engine.state.all_open_orders() if not self.is_ours(order))
        sells = (o.locked for o in theirs if o.side is Side.SELL and self.base(o.symbol) == asset)
        return sum(sells, ZERO)

    def base(self, symbol: str) -> str:
        return symbol.split("/", maxsplit=1)[0]

    @cached_property
    def bought(self) -> dict[str, Decimal]:
        """Symbol -> signed sum of our fills, less every fee of ours that was charged in the symbol's base asset."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        fees: dict[str, Decimal] = defaultdict(Decimal)
        for trade in self.trades.values():
            if self.is_our_trade(trade):
                sums[trade.symbol] += trade.amount if trade.side is Side.BUY else -trade.amount
                fees[trade.fee_asset] += trade.fee
        return {symbol: amount - fees.get(self.base(symbol), ZERO) for symbol, amount in sums.items()}

    def mark(self, symbol: str) -> Decimal | None:
        """The symbol's last trade; None before the market opened."""
        return self.engine.state.last_prices.get(symbol)


def remaining_sells(orders: Iterable[Order]) -> dict[str, Decimal]:
    """Symbol -> base amount that open sells may still sell; an order list (OCO) counts once, by its larger leg."""
    lists: dict[tuple[str, int], Decimal] = {}
    for order in orders:
        if order.side is Side.SELL:
            key = (order.symbol, order.list_id if order.list_id > 0 else -order.id)
            lists[key] = max(lists.get(key, ZERO), order.remaining)
    found: dict[str, Decimal] = defaultdict(Decimal)
    for (symbol, _), amount in lists.items():
        found[symbol] += amount
    return found
