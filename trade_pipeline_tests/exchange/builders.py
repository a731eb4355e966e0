"""Engines, steps and requests for the tests: one symbol BTC/USDT with a tick of 0.01 and a lot of 0.00001."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.exchange.engine.orders import NewOrder, Order, Step
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.schemas.trading import OrderType, Side, TimeInForce

BTC = SymbolSpec("BTC/USDT", 2, 5)
BNB = SymbolSpec("BNB/USDT", 2, 3)
SYMBOL = BTC.symbol
LIMIT_TYPES = {OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT}


def dec(value: object) -> Decimal:
    return Decimal(str(value))


def step(at_ms: int, price: float, volume: float = 100, *, down: bool = False, spread: float = 0.02) -> Step:
    """A trade at `price` of `volume` base; `down` puts it on the bid."""
    ticks, wide = round(price * 100), round(spread * 100)
    return Step(at_ms, ticks, round(volume * 100_000), down, wide, max(1, wide // 2), ticks)


def engine(price: float = 100, volume: float = 100, **more: Any) -> Engine:
    """Opened with 10,000 USDT and 50 BTC at a price of 100; a step lets us take 25 of its 100 BTC."""
    made = Engine.opened([BTC, BNB], {"USDT": dec(10_000), "BTC": dec(50), **more.pop("balances", {})}, **more)
    made.on_step(SYMBOL, step(1000, price, volume))
    return made


def request(side: str, kind: str, amount: object | None = 1, **more: Any) -> NewOrder:
    """Prices and amounts may be given as numbers; GTC where the type takes a time in force."""
    order_type = OrderType(kind)
    wanted = more.pop("tif", "GTC" if order_type in LIMIT_TYPES else None)
    return NewOrder(
        SYMBOL,
        Side(side),
        order_type,
        amount=dec(amount) if amount is not None else None,
        quote_amount=dec(more["quote"]) if "quote" in more else None,
        price=dec(more["price"]) if "price" in more else None,
        stop_price=dec(more["stop"]) if "stop" in more else None,
        time_in_force=TimeInForce(wanted) if wanted else None,
        client_order_id=more.get("client_id"),
    )


def place(on: Engine, side: str, kind: str, amount: object | None = 1, *, now_ms: int = 1500, **more: Any) -> Order:
    return on.place(request(side, kind, amount, **more), now_ms)


def total(on: Engine, asset: str) -> Decimal:
    return on.state.balances.free(asset) + on.state.balances.locked(asset)
