"""Targets against positions and open orders: the smallest set of orders, and a reason for every symbol.

Pure. TRADING rules 2 to 5 and 11: a plan first cancels what is in the way; it is made again from fills after that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from trade_pipeline.execution.ids import client_order_id, intent_id
from trade_pipeline.execution.planning.meant import bad_target, not_traded, sellable, too_small, wrong_with
from trade_pipeline.execution.planning.own_sales import meets_own_sale
from trade_pipeline.execution.planning.sleeves import sleeve_shares
from trade_pipeline.execution.planning.verdict import Verdict, refused
from trade_pipeline.execution.planning.worst_case import Exposure, buying_quote
from trade_pipeline.execution.rounding import amount_down, is_dust, limit_price
from trade_pipeline.ledger.records import Intent, Order, Target
from trade_pipeline.schemas.trading import (
    PROTECTIVE,
    BookTop,
    MarketRules,
    OrderRequest,
    OrderState,
    OrderType,
    Role,
    Side,
    TargetKind,
    TimeInForce,
)
from trade_pipeline.settings.exits import ExitSettings
from trade_pipeline.settings.trading import ExecutionSettings, PortfolioSettings

REDUCING = PROTECTIVE | {Role.EXIT}
"""Roles of orders that sell a position."""
UNRESOLVED = frozenset({OrderState.PLANNED, OrderState.SENT, OrderState.UNKNOWN, OrderState.PENDING_CANCEL})


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    intent: Intent
    request: OrderRequest


@dataclass(frozen=True, slots=True)
class Plan:
    cancels: tuple[Order, ...]
    orders: tuple[PlannedOrder, ...]
    verdicts: Mapping[str, Verdict]
    short_of_room: bool = False
    """The limit on everything together cut increases: what its sales bring may leave more to the next plan."""


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a plan may know. Amounts in base, `*_quote` in quote; `halts`: symbol or * -> reason.

    `marks`: symbol -> what a held coin counts for in `equity_quote`, the best bid or what it cost on average.
    """

    account: str
    now: datetime
    positions: Mapping[str, Decimal]
    sleeves: Mapping[str, Mapping[str, Decimal]]
    live_orders: Sequence[Order]
    rules: Mapping[str, MarketRules]
    tops: Mapping[str, BookTop]
    free_quote: Decimal
    equity_quote: Decimal
    marks: Mapping[str, Decimal]
    free_base: Mapping[str, Decimal] | None = None
    """Asset -> what no order locks; None where nobody has read it, and then it limits nothing."""
    increases_stopped: str | None = None
    halts: Mapping[str, str] = field(default_factory=dict)
    size_factors: Mapping[str, Decimal] = field(default_factory=dict)
    """Symbol -> share of an increase that a half-open breaker lets through; 1 where nothing is said."""


def plan_orders(
    targets: Sequence[Target],
    situation: Situation,
    execution: ExecutionSettings,
    exits: ExitSettings,
    limits: PortfolioSettings,
) -> Plan:
    """The plan for one decision. Reductions come first: they free quote and risk for the increases."""
    planner = _Planner(situation, execution, exits, limits)
    for target in sorted(targets, key=lambda item: item.symbol):
        planner.consider(target)
    planner.settle_increases()
    ordered = sorted(planner.orders, key=lambda item: (item.intent.side == Side.BUY, item.intent.symbol))
    return Plan(tuple(planner.cancels), tuple(ordered), planner.verdicts, planner.share < 1)


@dataclass(frozen=True, slots=True)
class _Increase:
    """A purchase within its own symbol's limit; what all of them may cost together is not settled yet."""

    target: Target
    held: Decimal
    amount: Decimal
    price: Decimal
    rules: MarketRules
    top: BookTop
    cut: str


class _Planner:
    def __init__(
        self, situation: Situation, execution: ExecutionSettings, exits: ExitSettings, limits: PortfolioSettings
    ) -> None:
        self.at = situation
        self.execution = execution
        self.exits = exits
        self.limits = limits
        asks = {symbol: top.ask for symbol, top in situation.tops.items()}
        buying = buying_quote(situation.live_orders, asks)
        self.exposure = Exposure(situation.positions, buying, situation.marks, situation.equity_quote, limits)
        self.free_quote = situation.free_quote
        self.increases: list[_Increase] = []
        self.share = Decimal(1)
        """What the limit on everything together leaves of each increase."""
        self.cancels: list[Order] = []
        self.orders: list[PlannedOrder] = []
        self.verdicts: dict[str, Verdict] = {}

    def consider(self, target: Target) -> None:
        try:
            self.verdicts[target.symbol] = self._verdict(target)
        except ArithmeticError as error:
            # A number beyond all arithmetic is one symbol's trouble.
            self.verdicts[target.symbol] = refused(bad_target(target.symbol, type(error).__name__, target.quantity))

    def settle_increases(self) -> None:
        """All together within their limit: each gives up the same share, so that a moved price refuses nobody."""
        wanted = sum((item.amount * item.price for item in self.increases), Decimal(0))
        room = max(self.exposure.total_room, Decimal(0))
        self.share = room / wanted if wanted > room else Decimal(1)
        for item in self.increases:
            self.verdicts[item.target.symbol] = self._settled(item)

    def _verdict(self, target: Target) -> Verdict:
        mine = [order for order in self.at.live_orders if order.symbol == target.symbol]
        way, wrong = self._in_the_way(mine), wrong_with(target)
        if wrong is not None and (way is None or way.action == "none"):
            return refused(wrong)
        return way or self._towards(sellable(target) if target.kind == TargetKind.FLAT else target, mine)

    def _in_the_way(self, mine: Sequence[Order]) -> Verdict | None:
        if unresolved := [order for order in mine if order.state in UNRESOLVED]:
            return Verdict("none", f"order {unresolved[0].client_order_id} is {unresolved[0].state}: resolved first")
        if stale := [order for order in mine if order.role == Role.ENTRY]:
            self.cancels.extend(stale)
            return Verdict("cancel", "an entry of an earlier decision rests: cancelled before anything else")
        return None

    def _towards(self, target: Target, mine: Sequence[Order]) -> Verdict:
        symbol = target.symbol
        wanted = Decimal(0) if target.kind == TargetKind.FLAT else target.quantity
        if target.kind == TargetKind.HOLD or wanted is None:
            return Verdict("none", f"hold: {target.reason}")
        rules, top = self.at.rules.get(symbol), self.at.tops.get(symbol)
        if (gone := not_traded(symbol, rules)) is not None or rules is None:
            return Verdict("none", "the exchange does not trade the symbol now", gone)
        if top is None or top.bid <= 0:
            return Verdict("none", "the exchange does not quote the symbol now")
        held = self.at.positions.get(symbol, Decimal(0))
        if wanted == held:
            return Verdict("none", "already there" if held else f"flat and to stay flat: {target.reason}")
        if target.kind == TargetKind.SET:
            band = max(self.execution.band_ratio * wanted * top.bid, self._smallest_notional(rules))
            if abs(wanted - held) * top.bid <= band:
                return Verdict("none", f"within the no-trade band: {band:.2f} {rules.quote}")
        if wanted > held:
            share = self.at.size_factors.get(symbol, Decimal(1))
            return self._increase(target, held, (wanted - held) * share, rules, top, mine)
        return self._reduce(target, held, held - wanted, rules, top, mine)

    def _smallest_notional(self, rules: MarketRules) -> Decimal:
        return self.execution.band_notional_multiple * rules.notional_min

    def _increase(
        self,
        target: Target,
        held: Decimal,
        missing: Decimal,
        rules: MarketRules,
        top: BookTop,
        mine: Sequence[Order],
    ) -> Verdict:
        price = limit_price(top.ask * (1 + self.execution.entry_slippage_ratio_max), Side.BUY, rules)
        stopped = self._why_not_increase(target) or meets_own_sale(mine, price, top.bid)
        if stopped:
            return Verdict("none", stopped)
        # RELIABILITY 15: the position, what may still be filled and this order, all at the price it may cost.
        fits = self.exposure.symbol_room(target.symbol, price) / price
        if fits <= 0:
            return Verdict("none", self.exposure.above_limit(target.symbol, price, rules.quote))
        cut = f", cut by position_weight_max {self.limits.position_weight_max}" if fits < missing else ""
        amount = min(missing, fits, rules.amount_max)
        self.increases.append(_Increase(target, held, amount, price, rules, top, cut))
        return Verdict("none", "settled with the others")

    def _settled(self, item: _Increase) -> Verdict:
        target, held, price, rules, top = item.target, item.held, item.price, item.rules, item.top
        if self.share <= 0:
            total = self.limits.total_weight_max
            return Verdict(
                "none", f"total_weight_max {total} of {self.at.equity_quote:.2f} {rules.quote} is used: reductions only"
            )
        cut = item.cut + (f", cut by total_weight_max {self.limits.total_weight_max}" if self.share < 1 else "")
        affordable = self.free_quote / (price * (1 + rules.taker_fee_rate))
        amount = amount_down(min(item.amount * self.share, affordable), rules)
        stop = top.bid - (target.stop_distance or Decimal(0))  # the fill may be as good as that
        exit_price = stop * (1 - self.exits.stop_limit_offset_ratio)
        # RELIABILITY 18: an entry whose stop could not be placed must not be opened.
        if exit_price <= 0 or is_dust((held + amount) * (1 - rules.taker_fee_rate), exit_price, rules):
            why = f"{amount.normalize():f} {rules.base} is too small to be protected by a stop{cut}"
            return Verdict("none", why, too_small(why, item.amount, rules))
        if is_dust(amount, price, rules):
            limit = cut.removeprefix(", ") or f"free {rules.quote} covers no more"
            why = f"{amount.normalize():f} {rules.base} is below the exchange's minimum: {limit}"
            return Verdict("none", why, too_small(why, item.amount, rules))
        self.free_quote -= amount * price * (1 + rules.taker_fee_rate)
        self._add(target, Role.ENTRY, Side.BUY, amount, price, f"target above position: {target.reason}")
        return Verdict("buy", f"{amount.normalize():f} {rules.base} at up to {price}{cut}: {target.reason}")

    def _why_not_increase(self, target: Target) -> str | None:
        halted = self.at.halts.get(target.symbol) or self.at.halts.get("*")
        if halted:
            return f"entries halted: {halted}"
        if self.at.now >= target.expires_at:
            return f"the target expired at {target.expires_at:%H:%M:%S}"
        return self.at.increases_stopped

    def _reduce(
        self,
        target: Target,
        held: Decimal,
        surplus: Decimal,
        rules: MarketRules,
        top: BookTop,
        mine: Sequence[Order],
    ) -> Verdict:
        amount = amount_down(min(surplus, held, rules.amount_max), rules)
        if is_dust(amount, top.bid, rules):
            return Verdict("none", f"residue below the exchange's minimum: {surplus.normalize():f} {rules.base}")
        if resting := [order for order in mine if order.role in REDUCING]:
            # A resting stop locks its coins: cancel, confirm, recompute from fills, sell (TRADING 14).
            self.cancels.extend(resting)
            return Verdict("cancel", "its stop is cancelled so that the coins can be sold")
        if self.at.free_base is not None:
            # RELIABILITY 17: what is free after our own locks are released bounds every sale.
            amount = min(amount, amount_down(self.at.free_base.get(rules.base, Decimal(0)), rules))
            if is_dust(amount, top.bid, rules):
                return Verdict("none", f"only {amount.normalize():f} {rules.base} is free on the exchange")
        price = limit_price(top.bid * (1 - self.execution.entry_slippage_ratio_max), Side.SELL, rules)
        self._add(target, Role.EXIT, Side.SELL, amount, price, f"target below position: {target.reason}")
        return Verdict("sell", f"{amount.normalize():f} {rules.base} at {price} or better: {target.reason}")

    def _add(self, target: Target, role: Role, side: Side, amount: Decimal, price: Decimal, reason: str) -> None:
        at = self.at
        named = intent_id(at.account, target.decision_id, target.symbol, role)
        intent = Intent(
            intent_id=named,
            account=at.account,
            decision_id=target.decision_id,
            symbol=target.symbol,
            role=role,
            side=side,
            amount=amount,
            strategy=target.strategy,
            sleeves=sleeve_shares(target.sleeves, at.sleeves.get(target.symbol, {}), target.strategy, side),
            reason=reason,
            decision_price=target.price,
            stop_distance=target.stop_distance,
            created_at=at.now,
            expires_at=target.expires_at if role == Role.ENTRY else None,
        )
        request = OrderRequest(
            client_order_id=client_order_id(self.execution.installation_prefix, at.account, named, 0),
            symbol=target.symbol,
            side=side,
            type=OrderType.LIMIT,
            amount=amount,
            price=price,
            time_in_force=TimeInForce.IOC,
        )
        self.orders.append(PlannedOrder(intent, request))
