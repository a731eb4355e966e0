"""One symbol's grid and limits, and exact conversion between ticks or lots and decimals."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

MAX_NUM_ORDERS = 200
MAX_NUM_ALGO_ORDERS = 5
PRICE_MULTIPLIER_UP = Decimal(5)
PRICE_MULTIPLIER_DOWN = Decimal("0.2")
AVERAGE_PRICE_MINUTES = 5


@dataclass(frozen=True)
class SymbolSpec:
    """Prices move in 10^-price_decimals quote units, amounts in 10^-amount_decimals base units.

    The two add up to at most 8, so that every notional is exact in the 8 decimals of a balance. A tick is
    `tick_units` of the price's last decimal and a step `step_units` of the amount's: 0.05 is 5 of 0.01.
    """

    symbol: str
    price_decimals: int
    amount_decimals: int
    notional_min: Decimal = Decimal(5)
    notional_max: Decimal = Decimal(9_000_000)
    tick_units: int = 1
    step_units: int = 1
    amount_min: Decimal = Decimal(0)
    """Smallest amount of an order where it is more than one step."""
    order_types: tuple[str, ...] = ()
    """Types that the symbol takes; empty: those that the simulation knows."""

    def __post_init__(self) -> None:
        assert self.price_decimals + self.amount_decimals <= 8, self

    @cached_property
    def base(self) -> str:
        return self.symbol.split("/")[0]

    @cached_property
    def quote(self) -> str:
        return self.symbol.split("/")[1]

    @cached_property
    def id(self) -> str:
        """The exchange's own name: BTCUSDT."""
        return self.base + self.quote

    @cached_property
    def tick(self) -> Decimal:
        return Decimal(self.tick_units).scaleb(-self.price_decimals)

    @cached_property
    def step(self) -> Decimal:
        return Decimal(self.step_units).scaleb(-self.amount_decimals)

    @cached_property
    def least(self) -> Decimal:
        return max(self.step, self.amount_min)

    @cached_property
    def price_max(self) -> Decimal:
        return Decimal(10**9) * self.tick

    @cached_property
    def amount_max(self) -> Decimal:
        return Decimal(9 * 10**11) * self.step

    @cached_property
    def market_amount_max(self) -> Decimal:
        return Decimal(9 * 10**10) * self.step

    def price(self, ticks: int) -> Decimal:
        return Decimal(ticks).scaleb(-self.price_decimals)

    def amount(self, lots: int) -> Decimal:
        return Decimal(lots).scaleb(-self.amount_decimals)

    def ticks(self, price: Decimal) -> int:
        """Price in ticks; the price must lie on the grid."""
        return int(price.scaleb(self.price_decimals))

    def lots(self, amount: Decimal) -> int:
        """Whole lots in an amount, rounded down."""
        return int(amount.scaleb(self.amount_decimals))
