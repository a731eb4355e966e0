"""What a fill does to balances, and what stays locked for the rest of an order."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from trade_pipeline.exchange.engine.book import Level
from trade_pipeline.exchange.engine.orders import MARKET_TYPES, ZERO, Order, Trade
from trade_pipeline.exchange.engine.state import State
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.schemas.trading import OrderType, Side

BALANCE_UNIT = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Fees:
    """Fee rates, and optionally an asset (BNB style) in which fees are paid at a discount while it suffices."""

    maker_rate: Decimal
    taker_rate: Decimal
    asset: str | None = None
    asset_rate_factor: Decimal = Decimal("0.75")


def lock_asset(spec: SymbolSpec, order: Order) -> str:
    return spec.quote if order.side is Side.BUY else spec.base


def lock_needed(order: Order) -> Decimal:
    """What the unfilled rest of an order keeps locked. A plain stop to buy is valued at its stop price."""
    if not order.is_open or order.type is OrderType.MARKET:
        return ZERO
    if order.side is Side.SELL:
        return order.remaining
    return order.remaining * (order.price or order.stop_price)


def relock(state: State, spec: SymbolSpec, order: Order) -> None:
    """Bring the locked amount to what the order needs now."""
    needed = lock_needed(order)
    if needed != order.locked:
        state.balances.lock(lock_asset(spec, order), needed - order.locked)
        order.locked = needed


def release(state: State, spec: SymbolSpec, order: Order) -> None:
    if order.locked:
        state.balances.lock(lock_asset(spec, order), -order.locked)
        order.locked = ZERO


def settle(state: State, spec: SymbolSpec, order: Order, fill: Level, at_ms: int, fees: Fees, *, maker: bool) -> Trade:
    """Book one fill: release the lock, move both assets, take the fee, lock again what the rest needs."""
    price, amount = spec.price(fill.price), spec.amount(fill.amount)
    quote = price * amount
    balances = state.balances
    release(state, spec, order)
    if order.side is Side.BUY:
        balances.add(spec.quote, -quote)
        received_asset, received = spec.base, amount
    else:
        balances.add(spec.base, -amount)
        received_asset, received = spec.quote, quote
    rate = fees.maker_rate if maker else fees.taker_rate
    in_third_asset = _third_asset_fee(state, spec, fees, order, quote * rate)
    fee, fee_asset = in_third_asset or (_round(received * rate), received_asset)
    balances.add(received_asset, received)
    balances.add(fee_asset, -fee)
    order.filled += amount
    order.quote_filled += quote
    order.updated_ms = at_ms
    order.status = "FILLED" if order.remaining == 0 else "PARTIALLY_FILLED"
    if order.is_open and order.type not in MARKET_TYPES:
        relock(state, spec, order)
    trade = Trade(
        symbol=order.symbol, id=state.next_trade_id(order.symbol), order_id=order.id, list_id=order.list_id,
        side=order.side, price=price, amount=amount, fee=fee, fee_asset=fee_asset, at_ms=at_ms, is_maker=maker,
    )  # fmt: skip
    state.add_trade(trade)
    state.touch(order)
    return trade


def _third_asset_fee(
    state: State, spec: SymbolSpec, fees: Fees, order: Order, fee_quote: Decimal
) -> tuple[Decimal, str] | None:
    """The discounted fee in the third asset, or None where it is not used or does not suffice.

    An order that spends the fee asset itself pays as if there were none: its own rest needs that balance.
    """
    if fees.asset is None or fees.asset == lock_asset(spec, order):
        return None
    fee = _in_asset(state, spec, fees.asset, fee_quote * fees.asset_rate_factor)
    if fee is None or fee > state.balances.free(fees.asset):
        return None
    return fee, fees.asset


def _in_asset(state: State, spec: SymbolSpec, asset: str, quote: Decimal) -> Decimal | None:
    """An amount of quote in `asset`, at the last price of ASSET/QUOTE; None while that has no price."""
    if asset == spec.quote:
        return _round(quote)
    pair = f"{asset}/{spec.quote}"
    last = state.last_prices.get(pair)
    return _round(quote / last) if last else None


def _round(amount: Decimal) -> Decimal:
    return amount.quantize(BALANCE_UNIT, rounding=ROUND_DOWN)
