"""The cap on everything together: what is wanted is fitted into what the account may hold.

What is held already comes first, and only increases are cut, all by the same factor: a new candidate must not make
the account trade every position it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

from trade_pipeline.portfolio.sizing import EXACT


@dataclass(frozen=True, slots=True)
class Wish:
    """Base quantities and price in quote of one symbol that shall be SET."""

    wanted: Decimal
    held: Decimal
    price: Decimal


def fit_total(wishes: Mapping[str, Wish], budget_quote: Decimal) -> dict[str, Decimal]:
    """Base quantity by symbol, worth at most `budget_quote` together.

    Within the budget everybody gets the wish. Beyond it, each keeps the smaller of wish and holding, and the room
    that is left goes to the increases pro rata. Where even that is too much, all are scaled pro rata.
    """
    room = max(budget_quote, Decimal(0))
    with localcontext(EXACT):
        wanted = sum((wish.wanted * wish.price for wish in wishes.values()), Decimal(0))
        if wanted <= room:
            return {symbol: wish.wanted for symbol, wish in wishes.items()}
        kept = {symbol: min(wish.wanted, wish.held) for symbol, wish in wishes.items()}
        kept_quote = sum((kept[symbol] * wish.price for symbol, wish in wishes.items()), Decimal(0))
        if kept_quote > room:
            return {symbol: wish.wanted * room / wanted for symbol, wish in wishes.items()}
        share = (room - kept_quote) / (wanted - kept_quote)
        return {symbol: kept[symbol] + (wish.wanted - kept[symbol]) * share for symbol, wish in wishes.items()}
