"""What happens to the account and its market by other hands: gaps, delistings, manual trades, deposits, strays."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal
from random import Random

from trade_pipeline.errors import TradePipelineError
from trade_pipeline.exchange.engine.orders import NewOrder, Order
from trade_pipeline.exchange.engine.rejections import Rejected
from trade_pipeline.faults.exchange import Exchange
from trade_pipeline.faults.kinds import MOODS, Fault
from trade_pipeline.faults.moods import REFUSALS, MoodyExchange
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import OrderType, Side, TimeInForce

GAP_RATIOS = (0.90, 0.96, 1.05)
FALL_RATIO = 0.9
"""Below every stop: they are at most 4 % away."""
FALL_AFTER_S = 25.0
REFUSED_S = 26.0
REFUSED_BEFORE_FALL_S = 60.0
"""Longer than the price needs to fall: what sells then must not wait for what is refused."""


def happen(exchange: MoodyExchange, fault: Fault, random: Random, prefix: str, ledger: Ledger, account: str) -> bool:
    """Let it happen now, to a symbol or an asset that `random` chooses; False where there is nothing to act on."""
    exchange.catch_up()
    if fault in MOODS and exchange.was_moody:
        return False
    symbols = sorted(set(exchange.paths) - exchange.delisted - {"BNB/USDT"})
    if not symbols:
        return False
    held = [s for s in symbols if _free(exchange, s.split("/")[0]) > 0 or exchange.engine.state.has_open_orders(s)]
    symbol = random.choice(held or symbols)

    def known() -> set[str]:
        return {order.client_order_id for order in ledger.live_orders(account) if order.venue_order_id is not None}

    acts = {
        Fault.PRICE_GAP: lambda: _gap(exchange, symbol, random.choice(GAP_RATIOS)),
        Fault.DELISTED: lambda: _delist(exchange, symbol),
        Fault.MANUAL_SALE: lambda: _trade(exchange, symbol, Side.SELL, Decimal("0.5")),
        Fault.MANUAL_PURCHASE: lambda: _trade(exchange, symbol, Side.BUY, Decimal("0.02")),
        Fault.DEPOSIT: lambda: _deposit(exchange, random.choice((symbol.split("/")[0], "USDT", "SHIB"))),
        Fault.WITHDRAWAL: lambda: _withdraw(exchange, random.choice((symbol.split("/")[0], "USDT"))),
        Fault.FOREIGN_ORDER: lambda: _rest(exchange, symbol, f"web_{exchange.clock.now_ms()}"),
        Fault.STRAY_ORDER: lambda: _rest(exchange, symbol, prefix + _hash(f"{account} {exchange.clock.now_ms()}")),
        Fault.ORDER_FORGOTTEN: lambda: _forget(exchange, random, known(), beside=False),
        Fault.FORGOTTEN_BESIDE_FOREIGN: lambda: _forget(exchange, random, known(), beside=True),
        Fault.STOPS_REFUSED: lambda: _refuse(exchange, random, known(), falls=False),
        Fault.FALL_WITHOUT_STOP: lambda: _refuse(exchange, random, known(), falls=True),
    }
    return acts[fault]()


def _hash(text: str) -> str:
    """28 hexadecimal characters. Ids are unique over all accounts of a ledger."""
    return hashlib.blake2b(text.encode(), digest_size=14).hexdigest()


def _free(exchange: Exchange, asset: str) -> Decimal:
    return exchange.engine.state.balances.free(asset)


def _gap(exchange: Exchange, symbol: str, ratio: float) -> bool:
    exchange.jump(symbol, ratio)
    return True


def _delist(exchange: Exchange, symbol: str) -> bool:
    exchange.delist(symbol)
    return True


def _trade(exchange: Exchange, symbol: str, side: Side, share: Decimal) -> bool:
    """Somebody trades by hand on the exchange's own site."""
    spec = exchange.engine.specs[symbol]
    if side is Side.SELL:
        # By hand one cancels what locks the coins first.
        for order in exchange.engine.state.open_orders(symbol):
            if order.side is Side.SELL and order.is_open:
                exchange.engine.cancel(symbol, exchange.clock.now_ms(), order_id=order.id)
        amount = _free(exchange, spec.base) * share
    else:
        amount = _free(exchange, spec.quote) * share / exchange.engine.state.last_prices[symbol]
    amount -= amount % spec.step
    return _place(exchange, NewOrder(symbol, side, OrderType.MARKET, amount=amount, client_order_id=None))


def _deposit(exchange: Exchange, asset: str) -> bool:
    exchange.engine.state.balances.add(asset, Decimal("12.5"))
    return True


def _withdraw(exchange: Exchange, asset: str) -> bool:
    amount = (_free(exchange, asset) * Decimal("0.1")).quantize(Decimal("0.0001"))
    if amount <= 0:
        return False
    exchange.engine.state.balances.add(asset, -amount)
    return True


def _rest(exchange: Exchange, symbol: str, client_order_id: str) -> bool:
    """A limit buy far below the market that no process of ours has sent."""
    spec = exchange.engine.specs[symbol]
    price = exchange.engine.state.last_prices[symbol] * Decimal("0.9")
    price -= price % spec.tick
    amount = spec.notional_min * 2 / price
    amount += spec.step - amount % spec.step
    return _place(
        exchange,
        NewOrder(
            symbol,
            Side.BUY,
            OrderType.LIMIT,
            amount=amount,
            price=price,
            time_in_force=TimeInForce.GTC,
            client_order_id=client_order_id,
        ),
    )


def _stop(exchange: MoodyExchange, random: Random, known: Collection[str]) -> Order | None:
    """One of ours that rests and sells, and whose acceptance we were told of: of others there is no knowing."""
    resting = [order for order in exchange.engine.state.all_open_orders() if order.client_order_id in known]
    stops = [o for o in resting if o.is_open and o.side is Side.SELL and o.symbol not in exchange.delisted]
    return random.choice(stops) if stops else None


def _forget(exchange: MoodyExchange, random: Random, known: Collection[str], *, beside: bool) -> bool:
    """The exchange loses a stop. `beside`: somebody's own sale rests, and locks more of the asset than it did."""
    stop = _stop(exchange, random, known)
    if stop is None or (beside and not _offer(exchange, stop.symbol, stop.amount * 2)):
        return False
    exchange.forget(stop)
    exchange.was_moody = True
    return True


def _offer(exchange: Exchange, symbol: str, amount: Decimal) -> bool:
    """Somebody offers coins of their own far above the market; where there are too few they bring them."""
    spec = exchange.engine.specs[symbol]
    price = exchange.engine.state.last_prices[symbol] * Decimal("1.3")
    exchange.engine.state.balances.add(spec.base, max(amount - _free(exchange, spec.base), Decimal(0)))
    named = f"web_{exchange.clock.now_ms()}"
    return _place(
        exchange,
        NewOrder(
            symbol,
            Side.SELL,
            OrderType.LIMIT,
            amount=amount,
            price=price - price % spec.tick,
            time_in_force=TimeInForce.GTC,
            client_order_id=named,
        ),
    )


def _refuse(exchange: MoodyExchange, random: Random, known: Collection[str], *, falls: bool) -> bool:
    """A stop is taken back on the exchange's own site, and no new one is accepted; the price may fall meanwhile."""
    stop, why = _stop(exchange, random, known), random.choice(REFUSALS)
    if stop is None:
        return False
    exchange.engine.cancel(stop.symbol, exchange.clock.now_ms(), order_id=stop.id)
    exchange.refuse_stops(stop.symbol, REFUSED_BEFORE_FALL_S if falls else REFUSED_S, why)
    if falls:
        exchange.fall(stop.symbol, FALL_RATIO, FALL_AFTER_S)
    exchange.trouble_until = exchange.clock.now() + timedelta(seconds=FALL_AFTER_S if falls else REFUSED_S)
    exchange.was_moody = True
    return True


def _place(exchange: Exchange, order: NewOrder) -> bool:
    try:
        exchange.engine.place(order, exchange.clock.now_ms())
    except (Rejected, TradePipelineError):
        return False
    return True
