"""The seeded market: regimes, jumps and a common factor, for ever, from (seed, origin minute) alone.

Days are made whole, one after the other, each from its own random stream and the state in which the day before
ended. Recomputing the same days gives the same bars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trade_pipeline.exchange.market.bars import Bars
from trade_pipeline.exchange.market.noise import Floats, Ints, key_of
from trade_pipeline.exchange.market.universe import Character, characters

DAY = 1440
UP, DOWN, RANGE, VOLATILE = range(4)
_DRIFT = (0.30, -0.30, 0.0, 0.0)
"""Mean return a minute in units of sigma."""
_TEMPER = (1.0, 1.0, 0.7, 1.8)
"""Volatility relative to sigma."""
_WEIGHTS = (0.42, 0.26, 0.19, 0.13)
_MINUTES = ((70, 260), (60, 200), (40, 140), (20, 80))
_LEASH = 0.12
"""Log distance from the anchor price at which regimes clearly tend to lead back."""
_JUMP_RATE = 0.0006
_FACTOR_SIGMA = 0.0006


@dataclass(frozen=True, slots=True)
class _Carry:
    """Where a day ended: log price, regime and its minutes still to go, by symbol (the last column is the market)."""

    level: Floats
    close: Ints
    regime: Ints
    left: Ints


class SeededMarket:
    """A BarSource that never ends."""

    def __init__(self, seed: int, origin_minute: int, symbols: int = 20) -> None:
        self.seed = seed
        self.origin_minute = origin_minute
        self.characters: list[Character] = characters(symbols)
        self.specs = {character.spec.symbol: character.spec for character in self.characters}
        self._index = {symbol: index for index, symbol in enumerate(self.specs)}
        self._days: list[list[Ints]] = []
        self._columns: list[Ints] = []
        self._carry = self._opening()

    def span(self, symbol: str) -> tuple[int, int | None]:
        return self.origin_minute, None

    def spread_bps(self, symbol: str) -> float:
        return self.characters[self._index[symbol]].spread_bps

    def bars(self, symbol: str, first: int, last: int) -> Bars:
        self._ensure(last)
        column = self._index[symbol]
        cut = slice(max(0, first - self.origin_minute), max(0, last - self.origin_minute + 1))
        open_, high, low, close, volume, trades = (table[column, cut] for table in self._columns)
        minutes = np.arange(self.origin_minute + cut.start, self.origin_minute + cut.start + len(open_), dtype=np.int64)
        return Bars(minutes, open_, high, low, close, volume, trades, np.ones(len(open_), dtype=np.bool_))

    def _ensure(self, last: int) -> None:
        """Make days until `last` is covered."""
        made = len(self._days)
        while (len(self._days)) * DAY <= last - self.origin_minute:
            self._days.append(self._day(len(self._days)))
        if len(self._days) > made:
            kept = [self._columns] if self._columns else []
            parts = kept + self._days[made:]
            self._columns = [np.concatenate([part[i] for part in parts], axis=1) for i in range(6)]
            self._days[made:] = [[] for _ in self._days[made:]]

    def _opening(self) -> _Carry:
        rng = np.random.default_rng([self.seed, int(key_of("opening"))])
        count = len(self.characters)
        level = np.concatenate([np.log([c.price for c in self.characters]) + rng.normal(0, 0.02, count), [0.0]])
        ticks = self._ticks(level[:count])
        regime = rng.choice(4, size=count + 1, p=_WEIGHTS).astype(np.int64)
        return _Carry(level, ticks, regime, rng.integers(5, 120, count + 1))

    def _day(self, number: int) -> list[Ints]:
        """Columns open, high, low, close, volume, trades of one day, each of shape (symbols, 1440)."""
        rng = np.random.default_rng([self.seed, number])
        regimes, carry_regime, carry_left = self._regimes(rng)
        returns, sigma = self._returns(rng, regimes)
        start = self._carry.level
        level = start[:-1, None] + np.cumsum(returns, axis=1)
        close = self._ticks(level)
        open_ = np.concatenate([self._carry.close[:, None], close[:, :-1]], axis=1)
        high, low = self._extremes(rng, level, returns, sigma, open_, close)
        volume, trades = self._activity(rng, returns, sigma, close)
        factor = start[-1:] * 0.98
        self._carry = _Carry(np.concatenate([level[:, -1], factor]), close[:, -1], carry_regime, carry_left)
        return [open_, high, low, close, volume, trades]

    def _regimes(self, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
        """Regime of every symbol (and of the market, last row) in every minute of a day, and what is carried on."""
        count = len(self.characters) + 1
        table = np.empty((count, DAY), dtype=np.int64)
        anchors = np.concatenate([np.log([c.price for c in self.characters]), [0.0]])
        scale = np.array([c.sigma for c in self.characters] + [_FACTOR_SIGMA])
        last = np.empty(count, dtype=np.int64)
        left = np.empty(count, dtype=np.int64)
        for row in range(count):
            away = float(self._carry.level[row] - anchors[row])
            regime, stay, at = int(self._carry.regime[row]), int(self._carry.left[row]), 0
            while True:
                table[row, at : at + stay] = regime
                away += _DRIFT[regime] * scale[row] * min(stay, DAY - at)
                at += stay
                if at >= DAY:
                    break
                regime = _draw_regime(rng, away)
                stay = int(rng.integers(*_MINUTES[regime]))
            last[row], left[row] = regime, max(1, at - DAY)
        return table, last, left

    def _returns(self, rng: np.random.Generator, regimes: Ints) -> tuple[Floats, Floats]:
        """Log returns of a day and their local standard deviation."""
        shape = (len(self.characters), DAY)
        sigma = np.array([c.sigma for c in self.characters])[:, None] * np.take(_TEMPER, regimes[:-1])
        drift = np.array([c.sigma for c in self.characters])[:, None] * np.take(_DRIFT, regimes[:-1])
        noise = rng.standard_normal(shape)
        in_range = regimes[:-1] == RANGE
        noise = noise - np.where(in_range, 0.5, 0.0) * np.concatenate([np.zeros((shape[0], 1)), noise[:, :-1]], axis=1)
        beta = np.array([c.beta for c in self.characters])[:, None]
        factor = rng.standard_normal(DAY) * np.take(_TEMPER, regimes[-1]) + 0.3 * np.take(_DRIFT, regimes[-1])
        jumps = (rng.random(shape) < _JUMP_RATE) * rng.normal(0, 7, shape) * sigma
        moves = beta * 0.8 * _FACTOR_SIGMA * factor + np.sqrt(1 - (0.8 * beta) ** 2) * sigma * noise
        return moves + drift + jumps, sigma

    def _extremes(
        self, rng: np.random.Generator, level: Floats, returns: Floats, sigma: Floats, open_: Ints, close: Ints
    ) -> tuple[Ints, Ints]:
        """High and low of a Brownian bridge from open to close (maximum of a bridge: Borodin and Salminen, 1.1.8)."""
        variance = (0.8 * sigma) ** 2
        up, down = (-2 * variance * np.log1p(-rng.random(level.shape)) for _ in range(2))
        high = level - returns + (returns + np.sqrt(returns**2 + up)) / 2
        low = level - returns + (returns - np.sqrt(returns**2 + down)) / 2
        return (
            np.maximum(self._ticks(high), np.maximum(open_, close)),
            np.minimum(self._ticks(low), np.minimum(open_, close)),
        )

    def _activity(self, rng: np.random.Generator, returns: Floats, sigma: Floats, close: Ints) -> tuple[Ints, Ints]:
        """Volume in lots and trades: larger moves trade more, and the afternoon (UTC) more than the night."""
        notional = np.array([c.notional for c in self.characters])[:, None]
        minute = (self.origin_minute + len(self._days) * DAY + np.arange(DAY)) % DAY
        season = 1 + 0.35 * np.sin((minute / DAY - 0.35) * 2 * np.pi)
        size = notional * season * np.exp(rng.normal(-0.1, 0.45, returns.shape)) * (0.7 + 0.4 * np.abs(returns) / sigma)
        scale = np.array([[10.0 ** -(c.spec.price_decimals + c.spec.amount_decimals)] for c in self.characters])
        lots = np.maximum(np.rint(size / (close * scale)), 60).astype(np.int64)
        trades = np.maximum(1, size / rng.uniform(300, 900, returns.shape)).astype(np.int64)
        return lots, trades

    def _ticks(self, level: Floats) -> Ints:
        decimals = np.array([c.spec.price_decimals for c in self.characters], dtype=np.float64)
        scale = 10.0**decimals if level.ndim == 1 else (10.0**decimals)[:, None]
        return np.maximum(1, np.rint(np.exp(level) * scale)).astype(np.int64)


def _draw_regime(rng: np.random.Generator, away: float) -> int:
    """The farther above its anchor a price stands, the likelier it turns down, and the other way round."""
    pull = float(np.tanh(away / _LEASH))
    weights = np.array(_WEIGHTS) * np.array([1 - 0.85 * pull, 1 + 0.85 * pull, 1.0, 1.0])
    return int(rng.choice(4, p=weights / weights.sum()))
