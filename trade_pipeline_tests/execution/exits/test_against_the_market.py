"""The policy `market` on candles sells where the matching engine sells: same path, same rules, same price.

A stop of the simulation and a STOP_LOSS order that rests on the simulated exchange are two ways to say one thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.exchange.engine.orders import NewOrder, Step
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.market.bars import Bars
from trade_pipeline.exchange.market.noise import key_of
from trade_pipeline.exchange.market.path import STEPS, Paths, paths
from trade_pipeline.execution.exits.candles import Bar, Scenario
from trade_pipeline.execution.exits.simulate import simulate
from trade_pipeline.execution.exits.values import LONG, ExitRules
from trade_pipeline.schemas.trading import OrderType, Side

START = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MINUTES = 40
SPEC = SymbolSpec("BTC/USDT", 2, 5)
STOP_RATIO = Decimal("0.004")
SLIPPAGE_MAX = Decimal("0.0001")
"""What spread and depth cost beside the path."""


def _bars(seed: int) -> Bars:
    random = np.random.default_rng(seed)
    closes = (10_000_000 * np.cumprod(random.normal(1, 0.0015, MINUTES))).astype(np.int64)
    opens = np.concatenate([[10_000_000], closes[:-1]]) + random.integers(-3000, 3000, MINUTES)
    wide = random.integers(1000, 15_000, (2, MINUTES))
    return Bars(
        minutes=np.arange(MINUTES, dtype=np.int64),
        open=opens,
        high=np.maximum(opens, closes) + wide[0],
        low=np.minimum(opens, closes) - wide[1],
        close=closes,
        volume=np.full(MINUTES, 10_000_000, dtype=np.int64),
        trades=np.full(MINUTES, 200, dtype=np.int64),
        present=np.ones(MINUTES, dtype=np.bool_),
    )


def _price(ticks: int) -> Decimal:
    return Decimal(int(ticks)) / 100


def _candle(path: Paths, minute: int, enters: bool) -> Bar:
    prices = path.prices[minute]
    columns = (prices[0], prices.max(), prices.min(), prices[-1])
    opened, high, low, close = (_price(ticks) for ticks in columns)
    return Bar(START + minute * MINUTE, opened, high, low, close, frozenset({LONG} if enters else ()))


def _by_the_rules(path: Paths) -> tuple[int, Decimal] | None:
    """Minute and price at which the simulation's stop sells."""

    def walked(bar: Bar) -> Sequence[Decimal]:
        return [_price(ticks) for ticks in path.prices[int((bar.at - START) / MINUTE)]]

    candles = [_candle(path, minute, enters=minute == 0) for minute in range(MINUTES)]
    (trade,) = simulate(Scenario(candles, MINUTE, ExitRules(stop_ratio=STOP_RATIO), path=walked), "market")
    if trade.exit_reason != "stop_loss":
        return None
    return int((trade.closed_at - START) / MINUTE), trade.exit_price


def _by_the_engine(path: Paths) -> tuple[int, Decimal] | None:
    """Minute and price at which a resting stop order sells."""
    engine = Engine.opened([SPEC], {"BTC": Decimal(1), "USDT": Decimal(1000)})
    entry = _price(path.prices[1][0])
    stop = (entry * (1 - STOP_RATIO)).quantize(Decimal("0.01"))
    for minute in range(MINUTES):
        for number in range(STEPS):
            at_ms = minute * 60_000 + int(path.offsets_ms[minute][number])
            engine.on_step(SPEC.symbol, _step(path, minute, number, at_ms))
            if (minute, number) == (1, 0):
                request = NewOrder(SPEC.symbol, Side.SELL, OrderType.STOP_LOSS, Decimal("0.001"), stop_price=stop)
                engine.place(request, at_ms)
    sold = engine.state.trades.get(SPEC.symbol, [])
    return (sold[0].at_ms // 60_000, sold[0].price) if sold else None


def _step(path: Paths, minute: int, number: int, at_ms: int) -> Step:
    price, volume = int(path.prices[minute][number]), int(path.volumes[minute][number])
    return Step(at_ms, price, volume, bool(path.buyer_is_maker[minute][number]), spread=10, gap=5, average=price)


@pytest.mark.parametrize("seed", range(12))
def test_a_stop_sells_in_the_same_minute_at_the_same_price_but_for_spread_and_depth(seed: int) -> None:
    bars = _bars(seed)
    path = paths(key_of("exits", seed), bars)
    ours, engines = _by_the_rules(path), _by_the_engine(path)
    assert (ours is None) == (engines is None)
    if ours is not None and engines is not None:
        assert ours[0] == engines[0]
        assert abs(ours[1] - engines[1]) <= ours[1] * SLIPPAGE_MAX


def test_most_of_these_markets_reach_the_stop() -> None:
    reached = [_by_the_rules(paths(key_of("exits", seed), _bars(seed))) for seed in range(12)]
    assert sum(found is not None for found in reached) >= 6
