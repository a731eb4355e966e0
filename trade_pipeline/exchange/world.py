"""Engine, market and store joined by a clock: the simulated exchange without its HTTP server."""

from __future__ import annotations

import time
from collections.abc import Callable

from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.exchange.engine.orders import Step
from trade_pipeline.exchange.market.candles import CandleView
from trade_pipeline.exchange.market.day import DaysOfBars, DaysOfCandles, LastDays
from trade_pipeline.exchange.market.market import Market
from trade_pipeline.exchange.market.view import Candles, MarketView
from trade_pipeline.exchange.store import Store


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class World:
    """Plays the market up to now before anything is asked or changed, and saves before anything is answered."""

    def __init__(
        self,
        engine: Engine,
        market: MarketView,
        store: Store,
        *,
        late_candle_ms: int = 0,
        candles: Candles | None = None,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.engine = engine
        self.market = market
        self.store = store
        if candles is None:
            assert isinstance(market, Market), "a market of another kind brings its own candles"
            view = CandleView(market, late_candle_ms)
            self.candles: Candles = view
            self.days: LastDays = DaysOfBars(market, view)
        else:
            self.candles, self.days = candles, DaysOfCandles(candles)
        self.clock_ms = clock_ms

    def advance(self, symbol: str, now_ms: int) -> Step | None:
        """Play the symbol's path up to now against its resting orders; the newest step, None before the first."""
        state = self.engine.state
        cursor = state.cursors.get(symbol)
        if cursor is not None and state.has_open_orders(symbol):
            for step in self.market.steps_between(symbol, cursor.step.at_ms, now_ms):
                self.engine.on_step(symbol, step)
            return state.cursors[symbol].step
        newest = self.market.last_step(symbol, now_ms)
        if newest is not None:
            self.engine.on_step(symbol, newest)
        return newest

    def advance_all(self, now_ms: int) -> None:
        """Play every symbol that has open orders; the others are looked at when somebody asks."""
        for symbol in {order.symbol for order in self.engine.state.all_open_orders()}:
            self.advance(symbol, now_ms)
        self.save()

    def save(self) -> None:
        self.store.save(self.engine.state)
