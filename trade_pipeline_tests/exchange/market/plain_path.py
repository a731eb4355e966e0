"""The path within a bar and its noise written plainly, one row a bar: what the quick ones must equal to the bit.

It says what homes have been played with: a change here is another market.
"""

from __future__ import annotations

import numpy as np

from trade_pipeline.exchange.market.bars import Bars
from trade_pipeline.exchange.market.noise import Floats, Ints
from trade_pipeline.exchange.market.path import STEPS, Paths

_LAST_STEP_MS = 59_900
_FIRST_TRADE_MS = 20
_FIRST_TRADE_SPREAD_MS = 500
_WIGGLE_RATIO = 0.3


def uniforms(key: np.uint64, minutes: Ints, lanes: int) -> Floats:
    """Shape (len(minutes), lanes)."""
    with np.errstate(over="ignore"):
        x = key + minutes.astype(np.uint64)[:, None] * np.uint64(0x9E3779B97F4A7C15)
        x = x + np.arange(1, lanes + 1, dtype=np.uint64) * np.uint64(0xD1B54A32D192ED03)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return np.asarray((x >> np.uint64(11)).astype(np.float64) * 2.0**-53)


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
