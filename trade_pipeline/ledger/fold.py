"""How fills add up to a position: pure arithmetic, no SQL (TRADING rules 6 to 9).

A position is a left fold over its entries in the order of their keys. The same entries give the same position in
whatever order they arrived, because a late one makes the ledger fold again from the start.

Average cost. A fee in the base asset reduces the quantity and counts as a fee at the fill's price; a fee in quote
stays beside; change of equity = realised + unrealised - fees, exactly up to `QUANTUM`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any, Literal

ZERO = Decimal(0)
QUANTUM = Decimal(1).scaleb(-18)
"""Shares of a cost or of an amount are cut here; products and sums are exact."""
EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)

RESIDUE_SHARE = Decimal("0.02")
"""A trade is over when no more than this share of its largest amount is left: the rest is dust that no order can
sell (amount step, minimum notional); it stays in the position with its cost."""

UNASSIGNED = "unassigned"

Key = tuple[datetime, str, int, str]
"""Time, symbol that was traded, length of the trade id, trade id: digits sort as numbers."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that changes a position.

    `fill`: a trade of ours; `fee_base` and `fee_quote` are what it cost beyond the price, the base fee valued in
    `fee_quote` too. `fee`: `amount` of the base asset was taken to pay for another symbol's trade, worth `fee_quote`
    (None: nobody knows). `adopt`: coins that were there become managed at `price`. `release`: managed coins are no
    longer ours, worth `fee_quote` (0: what they cost).
    """

    kind: Literal["fill", "fee", "adopt", "release"]
    key: Key
    signed_amount: Decimal
    price: Decimal = ZERO
    fee_base: Decimal = ZERO
    fee_quote: Decimal = ZERO
    shares: Mapping[str, Decimal] = field(default_factory=dict)
    strategy: str = ""
    reason: str = ""

    @property
    def at(self) -> datetime:
        return self.key[0]


@dataclass(frozen=True, slots=True)
class Closed:
    """A finished round trip; amounts as in `records.ClosedTrade`."""

    number: int
    opened_at: datetime
    closed_at: datetime
    amount: Decimal
    entry_price: Decimal
    exit_price: Decimal
    profit_quote: Decimal
    fees_quote: Decimal
    exit_reason: str
    strategy: str


@dataclass(frozen=True, slots=True)
class Running:
    """The whole state of the fold. The `trade_` fields describe the round trip under way."""

    key: Key | None = None
    amount: Decimal = ZERO
    cost: Decimal = ZERO
    realised_total: Decimal = ZERO
    fees_total: Decimal = ZERO
    oversold: Decimal = ZERO
    """Base amount that our orders sold beyond the managed position; 0 unless something is wrong."""
    sleeves: Mapping[str, Decimal] = field(default_factory=dict)
    opened_at: datetime | None = None
    trade_number: int = 0
    trade_realised: Decimal = ZERO
    trade_fees: Decimal = ZERO
    trade_peak: Decimal = ZERO
    trade_sold: Decimal = ZERO
    trade_sold_cost: Decimal = ZERO
    trade_proceeds: Decimal = ZERO
    trade_strategy: str = ""

    @property
    def trading(self) -> bool:
        return self.opened_at is not None


def fold(entries: Iterable[Entry], state: Running | None = None) -> tuple[Running, list[Closed]]:
    """The state after `entries` (sorted by key), and the round trips that they finished."""
    state = state or Running()
    finished: list[Closed] = []
    with localcontext(EXACT):
        for entry in entries:
            assert state.key is None or entry.key > state.key, "entries must be folded in the order of their keys"
            state = _step(state, entry)
            if entry.kind in {"fill", "release"} and entry.signed_amount < 0 and _is_over(state):
                if state.trade_sold > 0:
                    finished.append(_close(state, entry))
                state = _flat(state)
    return state, finished


def _step(state: Running, entry: Entry) -> Running:
    if (entry.kind == "fill" and entry.signed_amount > 0) or entry.kind == "adopt":
        state = _add(state, entry)
    elif entry.kind == "fill":
        state = _sell(state, entry)
    else:
        state = _pay_fee(state, entry)
    return replace(state, key=entry.key)


def _add(state: Running, entry: Entry) -> Running:
    got = entry.signed_amount - entry.fee_base
    amount = state.amount + got
    return replace(
        state,
        amount=amount,
        cost=state.cost + got * entry.price,
        fees_total=state.fees_total + entry.fee_quote,
        trade_fees=state.trade_fees + entry.fee_quote,
        sleeves=_spread(state.sleeves, got, entry.shares),
        opened_at=state.opened_at or entry.at,
        trade_peak=max(state.trade_peak, amount),
        trade_strategy=state.trade_strategy or entry.strategy,
    )


def _sell(state: Running, entry: Entry) -> Running:
    wanted = -entry.signed_amount
    sold = min(wanted, state.amount)
    state, sold_cost = _take(state, sold, entry.shares)
    proceeds = sold * entry.price
    state = replace(
        state,
        realised_total=state.realised_total + proceeds - sold_cost,
        trade_realised=state.trade_realised + proceeds - sold_cost,
        fees_total=state.fees_total + entry.fee_quote,
        trade_fees=state.trade_fees + entry.fee_quote,
        oversold=state.oversold + wanted - sold,
        trade_sold=state.trade_sold + sold,
        trade_sold_cost=state.trade_sold_cost + sold_cost,
        trade_proceeds=state.trade_proceeds + proceeds,
    )
    # A base fee on a sale is a second, smaller disposal at the same price; the fee itself is counted above.
    fee_taken = min(entry.fee_base, state.amount)
    state, fee_cost = _take(state, fee_taken, entry.shares)
    gain = fee_taken * entry.price - fee_cost
    return replace(state, realised_total=state.realised_total + gain, trade_realised=state.trade_realised + gain)


def _pay_fee(state: Running, entry: Entry) -> Running:
    """Coins of this position paid another symbol's fee: a disposal at the fee's worth (at cost when unknown)."""
    wanted = -entry.signed_amount
    taken = min(wanted, state.amount)
    if taken == 0:
        return state
    state, cost = _take(state, taken, entry.shares)
    worth = (entry.fee_quote * taken / wanted).quantize(QUANTUM) if entry.fee_quote else cost
    return replace(
        state,
        realised_total=state.realised_total + worth - cost,
        trade_realised=state.trade_realised + worth - cost,
    )


def _take(state: Running, amount: Decimal, shares: Mapping[str, Decimal]) -> tuple[Running, Decimal]:
    """Take `amount` out at average cost; the last coin takes the rest of the cost with it."""
    if amount == 0:
        return state, ZERO
    cost = state.cost if amount == state.amount else (state.cost * amount / state.amount).quantize(QUANTUM)
    return (
        replace(
            state,
            amount=state.amount - amount,
            cost=state.cost - cost,
            sleeves=_spread(state.sleeves, -amount, shares),
        ),
        cost,
    )


def _spread(sleeves: Mapping[str, Decimal], change: Decimal, shares: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Spread a change over the sleeves by shares; the last one gets the remainder, so that sums are exact.

    A reduction never takes a sleeve below 0: what one cannot give, the others give in the order of their names.
    """
    wanted = {name: share for name, share in sorted(shares.items()) if share > 0}
    if not wanted:
        wanted = {name: amount for name, amount in sorted(sleeves.items()) if amount > 0} or {UNASSIGNED: Decimal(1)}
    total, rest, result = sum(wanted.values()), change, dict(sleeves)
    for position, (name, share) in enumerate(wanted.items()):
        last = position == len(wanted) - 1
        part = rest if last else (change * share / total).quantize(QUANTUM)
        part = max(part, -result.get(name, ZERO))
        result[name] = result.get(name, ZERO) + part
        rest -= part
    for name in sorted(result):
        part = max(rest, -result[name])
        if rest < 0:
            result[name] += part
            rest -= part
    return {name: amount for name, amount in sorted(result.items()) if amount != 0}


def _is_over(state: Running) -> bool:
    return state.trading and state.amount <= state.trade_peak * RESIDUE_SHARE


def _close(state: Running, entry: Entry) -> Closed:
    assert state.opened_at is not None
    return Closed(
        number=state.trade_number,
        opened_at=state.opened_at,
        closed_at=entry.at,
        amount=state.trade_sold,
        entry_price=(state.trade_sold_cost / state.trade_sold).quantize(QUANTUM),
        exit_price=(state.trade_proceeds / state.trade_sold).quantize(QUANTUM),
        profit_quote=state.trade_realised - state.trade_fees,
        fees_quote=state.trade_fees,
        exit_reason=entry.reason,
        strategy=state.trade_strategy,
    )


def _flat(state: Running) -> Running:
    """Ready for the next round trip; dust stays, with its cost and its sleeves."""
    return replace(
        state,
        opened_at=None,
        trade_number=state.trade_number + 1,
        trade_realised=ZERO,
        trade_fees=ZERO,
        trade_peak=ZERO,
        trade_sold=ZERO,
        trade_sold_cost=ZERO,
        trade_proceeds=ZERO,
        trade_strategy="",
    )


_NAMES = tuple(item.name for item in fields(Running))
_DECIMALS = frozenset(_NAMES) - {"key", "opened_at", "sleeves", "trade_number", "trade_strategy"}


def to_json(state: Running) -> dict[str, object]:
    """The state as JSON-ready values; `from_json` gives the same state back."""
    values: dict[str, object] = {name: getattr(state, name) for name in _NAMES}
    values["key"] = None if state.key is None else [state.key[0].isoformat(), *state.key[1:]]
    values["opened_at"] = None if state.opened_at is None else state.opened_at.isoformat()
    values["sleeves"] = {name: str(amount) for name, amount in state.sleeves.items()}
    return values | {name: str(values[name]) for name in _DECIMALS}


def from_json(values: Mapping[str, Any]) -> Running:
    result: dict[str, Any] = {name: Decimal(values[name]) for name in _DECIMALS}
    key, opened_at = values["key"], values["opened_at"]
    if key is not None:
        at, symbol, length, trade_id = key
        key = (datetime.fromisoformat(at), symbol, length, trade_id)
    return Running(
        key=key,
        opened_at=None if opened_at is None else datetime.fromisoformat(opened_at),
        sleeves={name: Decimal(amount) for name, amount in values["sleeves"].items()},
        trade_number=values["trade_number"],
        trade_strategy=values["trade_strategy"],
        **result,
    )
