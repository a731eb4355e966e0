"""The synthetic book around the market price: what a taker can take at one step.

Its total is what our orders may take of the step's volume, less what they took already, so that walking the book
and the volume limit are one thing. It is made of the step that has just happened and of nothing later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from trade_pipeline.exchange.engine.orders import Step
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.schemas.trading import Side

_LEVEL_WEIGHTS = (8, 9, 10, 11, 12, 10, 10, 10, 10, 10)
_WEIGHT_TOTAL = sum(_LEVEL_WEIGHTS)


@dataclass(frozen=True, slots=True)
class Level:
    """Price in ticks, amount in lots."""

    price: int
    amount: int


class RealBook(Protocol):
    """The depth of a market that is followed, less what our own orders took of it."""

    def levels(self, spec: SymbolSpec, side: Side, not_better_than: int | None = None) -> list[Level]:
        """What an order of `side` may take, best first; nothing where nothing is known.

        `not_better_than` is the price in ticks of the trade that set a stop off, which may be older than the depth.
        """
        ...

    def took(self, spec: SymbolSpec, side: Side, level: Level) -> None: ...


def best_prices(step: Step) -> tuple[int, int]:
    """Best bid and ask in ticks: the last trade stands on the side that was hit."""
    if step.buyer_is_maker:
        return step.price, step.price + step.spread
    bid = max(1, step.price - step.spread)
    return bid, max(step.price, bid + 1)


def levels(step: Step, side: Side, available: int) -> list[Level]:
    """The side of the book that an order of `side` takes from, best first, `available` lots in total."""
    bid, ask = best_prices(step)
    answer: list[Level] = []
    given = weight = 0
    for index, share in enumerate(_LEVEL_WEIGHTS):
        price = ask + index * step.gap if side is Side.BUY else bid - index * step.gap
        if price < 1:
            break
        weight += share
        upto = available * weight // _WEIGHT_TOTAL
        if upto > given:
            answer.append(Level(price, upto - given))
            given = upto
    return answer


def walk(book: list[Level], wanted: int, limit: int | None, side: Side) -> list[Level]:
    """What an order of `wanted` lots takes from the book, not beyond `limit` ticks (None: any price)."""
    taken: list[Level] = []
    for level in book:
        if wanted <= 0 or (limit is not None and _is_worse(level.price, limit, side)):
            break
        amount = min(wanted, level.amount)
        taken.append(Level(level.price, amount))
        wanted -= amount
    return taken


def walk_quote(book: list[Level], spend: int) -> list[Level]:
    """What `spend` (in ticks times lots) buys or yields, in whole lots."""
    taken: list[Level] = []
    for level in book:
        amount = min(level.amount, spend // level.price)
        if amount <= 0:
            break
        taken.append(Level(level.price, amount))
        spend -= amount * level.price
    return taken


def _is_worse(price: int, limit: int, side: Side) -> bool:
    return price > limit if side is Side.BUY else price < limit
