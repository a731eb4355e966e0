"""What limits still allow if everything that buys were filled (RELIABILITY invariant 15). Pure; all in quote.

A target is sized by the same limits when it is decided. Since then prices moved, orders were lost, and what a decision
says may be wrong altogether: what is sent is measured again, at the price it may cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import Side
from trade_pipeline.settings.trading import PortfolioSettings

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Exposure:
    """Managed base amounts by symbol, what live and UNKNOWN buys may still add at their own prices, and equity.

    `marks` is what a held coin counts for: the best bid, else what it cost on average.
    """

    positions: Mapping[str, Decimal]
    buying_quote: Mapping[str, Decimal]
    marks: Mapping[str, Decimal]
    equity_quote: Decimal
    limits: PortfolioSettings

    def symbol_room(self, symbol: str, price: Decimal) -> Decimal:
        """What an order for the symbol may cost at `price`, at which the position is counted too; 0 or below: none."""
        held = max(self.positions.get(symbol, NOTHING), NOTHING) * price
        return self.symbol_allowed - held - self.buying_quote.get(symbol, NOTHING)

    def above_limit(self, symbol: str, price: Decimal, quote: str) -> str:
        """Why there is no room for the symbol."""
        worst = self.symbol_allowed - self.symbol_room(symbol, price)
        return (
            f"position_weight_max {self.limits.position_weight_max} allows {self.symbol_allowed:.2f} {quote}, "
            f"held or on its way are {worst:.2f}: reductions only"
        )

    @property
    def symbol_allowed(self) -> Decimal:
        return max(self.equity_quote, NOTHING) * self.limits.position_weight_max

    @property
    def total_room(self) -> Decimal:
        """What all orders together may cost; 0 or below: none."""
        allowed = max(self.equity_quote, NOTHING) * self.limits.total_weight_max
        held = sum((self._worth(symbol) for symbol, amount in self.positions.items() if amount > 0), NOTHING)
        return allowed - held - sum(self.buying_quote.values(), NOTHING)

    def _worth(self, symbol: str) -> Decimal:
        mark = self.marks.get(symbol, NOTHING)
        # Without any price a holding counts as the most that a position may be worth.
        return self.positions[symbol] * mark if mark > 0 else self.symbol_allowed


def buying_quote(orders: Iterable[Order], asks: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Symbol -> what live buys would cost if they were filled; one without a limit price at the best ask.

    Whether an order has arrived does not matter: PLANNED, SENT and UNKNOWN count as resting ones do.
    """
    found: dict[str, Decimal] = {}
    for order in orders:
        if order.request.side == Side.BUY:
            price = order.request.price or asks.get(order.symbol, NOTHING)
            found[order.symbol] = found.get(order.symbol, NOTHING) + order.remaining * price
    return found
