"""Whether a target can be meant, and ordered at all. What cannot be is told for its symbol alone: the others go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from trade_pipeline.errors import BadTarget, FilterViolation, SymbolUnknown
from trade_pipeline.ledger.records import Target
from trade_pipeline.schemas.trading import MarketRules, TargetKind

REPAIR = "Nothing is sent for the symbol: decide it again."


def wrong_with(target: Target) -> BadTarget | None:
    """What of a target is no number to trade by. FLAT needs none: whatever is held is sold."""
    if target.kind == TargetKind.FLAT:
        return None
    for name, value in _numbers(target):
        if value is not None and not _counts(value):
            return bad_target(target.symbol, name, value)
    if target.price is not None and target.price == 0:
        return bad_target(target.symbol, "price", target.price)
    return None


def bad_target(symbol: str, name: str, value: object) -> BadTarget:
    return BadTarget(f"{name} is no number to trade by", thing=symbol, value=str(value), repair=REPAIR)


def not_traded(symbol: str, rules: MarketRules | None) -> SymbolUnknown | None:
    """Why nothing can be ordered of a symbol: it is not listed, or it is listed and not traded."""
    if rules is None:
        repair = "Take the symbol out of the universe, or correct its name."
        return SymbolUnknown("the exchange does not list the symbol", thing=symbol, value=symbol, repair=repair)
    if not rules.active:
        repair = "Nothing is sent until the exchange trades it again; if it is delisted, take it out of the universe."
        return SymbolUnknown(
            "the exchange does not trade the symbol now", thing=symbol, value="inactive", repair=repair
        )
    return None


def too_small(why: str, amount: Decimal, rules: MarketRules) -> FilterViolation:
    """An amount (base) that the exchange would refuse, or that no stop could protect. `why` names the limit."""
    least = (
        f"at least {rules.amount_min.normalize():f} {rules.base} worth {rules.notional_min.normalize():f} {rules.quote}"
    )
    repair = f"An order needs {least}: what is less stays as it is until the target asks for more."
    return FilterViolation(why, thing=rules.symbol, value=f"{amount.normalize():f}", repair=repair)


def sellable(target: Target) -> Target:
    """A FLAT target without the numbers that are none: they say nothing of what is to be sold."""
    return replace(
        target,
        price=target.price if target.price is not None and _counts(target.price) and target.price > 0 else None,
        stop_distance=target.stop_distance
        if target.stop_distance is not None and _counts(target.stop_distance)
        else None,
        sleeves={name: amount for name, amount in target.sleeves.items() if _counts(amount)},
    )


def _numbers(target: Target) -> Iterator[tuple[str, Decimal | None]]:
    yield "quantity", target.quantity
    yield "price", target.price
    yield "stop distance", target.stop_distance
    for strategy, amount in sorted(target.sleeves.items()):
        yield f"sleeve of {strategy}", amount


def _counts(value: Decimal) -> bool:
    return value.is_finite() and value >= 0
