"""The one path within each bar: from open to close, touching high and low exactly.

Ticker, depth, running candle and fills are all read from it. A path depends on its bar and on (key, minute) alone,
so that it is the same whoever asks and whenever.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trade_pipeline.exchange.market.bars import Bars
from trade_pipeline.exchange.market.noise import Floats, Ints, uniforms

STEPS = 15
_LAST_STEP_MS = 59_900
_FIRST_TRADE_MS = 20
_FIRST_TRADE_SPREAD_MS = 500
_WIGGLE_RATIO = 0.3


@dataclass(frozen=True, slots=True)
class Paths:
    """One row a bar, one column a step. Offsets in ms after the bar's open, prices in ticks, volumes in lots."""

    offsets_ms: Ints
    prices: Ints
    volumes: Ints
    trades: Ints
    buyer_is_maker: npt.NDArray[np.bool_]

    def row(self, index: int) -> Paths:
        cut = slice(index, index + 1)
        return Paths(
            self.offsets_ms[cut], self.prices[cut], self.volumes[cut], self.trades[cut], self.buyer_is_maker[cut]
        )


def paths(key: np.uint64, bars: Bars) -> Paths:
    """The paths of all bars at once."""
    noise = uniforms(key, bars.minutes, 4 * STEPS + 4)
    prices = _prices(bars, noise[:, :STEPS], noise[:, 4 * STEPS :])
    volumes = _apportion(bars.volume, noise[:, STEPS : 2 * STEPS])
    trades = np.minimum(_apportion(bars.trades, noise[:, 2 * STEPS : 3 * STEPS]) + 1, volumes)
    offsets = _offsets_ms(noise[:, 3 * STEPS : 4 * STEPS])
    before = np.concatenate([bars.open[:, None], prices[:, :-1]], axis=1)
    maker = np.where(prices == before, noise[:, :STEPS] < 0.5, prices < before)
    return Paths(offsets, prices, volumes, trades, maker)


def trade_totals(bars: Bars) -> Ints:
    """Trades of each whole bar as its path counts them: one a step at least, never more than there are lots."""
    return np.minimum(bars.trades + STEPS, bars.volume)


def _prices(bars: Bars, wiggle: Floats, choice: Floats) -> Ints:
    """Straight lines open, first extreme, second extreme, close, with a wiggle that stays within the bar."""
    column = np.arange(STEPS)[None, :]
    first, second = _turning_points(choice)
    rising = np.sign(bars.close - bars.open)
    high_first = choice[:, 2] < 0.5 - 0.25 * rising
    one = np.where(high_first, bars.high, bars.low)[:, None].astype(np.float64)
    two = np.where(high_first, bars.low, bars.high)[:, None].astype(np.float64)
    start, end = bars.open[:, None].astype(np.float64), bars.close[:, None].astype(np.float64)
    line = np.where(
        column <= first,
        start + (one - start) * column / first,
        np.where(
            column <= second,
            one + (two - one) * (column - first) / (second - first),
            two + (end - two) * (column - second) / (STEPS - 1 - second),
        ),
    )
    is_anchor = (column == 0) | (column == first) | (column == second) | (column == STEPS - 1)
    size = (bars.high - bars.low)[:, None] * _WIGGLE_RATIO
    rough = np.where(is_anchor, line, line + (wiggle - 0.5) * size)
    return np.clip(np.rint(rough), bars.low[:, None], bars.high[:, None]).astype(np.int64)


def _turning_points(choice: Floats) -> tuple[Ints, Ints]:
    first = 1 + (choice[:, :1] * (STEPS - 5)).astype(np.int64)
    room = STEPS - 2 - first
    second = first + 1 + (choice[:, 1:2] * room).astype(np.int64)
    return first, np.minimum(second, STEPS - 2)


def _apportion(totals: Ints, noise: Floats) -> Ints:
    """Split each total into one part a step, exactly, in proportion to 0.5 .. 1.5."""
    weights = np.cumsum(0.5 + noise, axis=1)
    upto = np.floor(totals[:, None] * (weights / weights[:, -1:])).astype(np.int64)
    upto[:, -1] = totals
    return np.diff(upto, axis=1, prepend=0)


def _offsets_ms(noise: Floats) -> Ints:
    """The first trade comes a moment after the open, the last one shortly before the close, strictly in order."""
    even = np.arange(STEPS) * (_LAST_STEP_MS / (STEPS - 1))
    offsets = (even - noise * 400).astype(np.int64)
    offsets[:, 0] = _FIRST_TRADE_MS + (noise[:, 0] ** 2 * _FIRST_TRADE_SPREAD_MS).astype(np.int64)
    return offsets
