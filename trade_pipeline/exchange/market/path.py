"""The one path within each bar: from open to close, touching high and low exactly.

Ticker, depth, running candle and fills are all read from it. A path depends on its bar and on (key, minute) alone,
so that it is the same whoever asks and whenever. What is computed has one row a step and one column a bar: a day of
every symbol goes through it, and numbers that are used together then lie together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trade_pipeline.exchange.market.bars import Bars
from trade_pipeline.exchange.market.noise import Floats, Ints, uniforms

Keys = np.uint64 | npt.NDArray[np.uint64]
"""One key of all bars, or one of each where the bars are those of several symbols."""

STEPS = 15
_LAST_STEP_MS = 59_900
_FIRST_TRADE_MS = 20
_FIRST_TRADE_SPREAD_MS = 500
_WIGGLE_RATIO = 0.3
_LANES = 4 * STEPS + 4
"""Of noise: a step each for prices, volumes, trades and times, and four for the bar."""
_LANES_OF_TOTALS = (*range(3 * STEPS), *range(4 * STEPS, _LANES))


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


def paths(key: Keys, bars: Bars) -> Paths:
    """The paths of all bars at once."""
    noise = uniforms(key, bars.minutes, _LANES)
    prices, volumes, trades = _traded(bars, noise)
    offsets = _offsets_ms(noise[3 * STEPS : 4 * STEPS])
    before = np.concatenate([bars.open[None, :], prices[:-1]])
    maker = np.where(prices == before, noise[:STEPS] < 0.5, prices < before)
    return Paths(offsets.T, prices.T, volumes.T, trades.T, maker.T)


def totals(key: Keys, bars: Bars) -> tuple[Ints, Ints]:
    """Of each whole bar what the bar does not say: the quote traded in ticks x lots, and the trades on its path."""
    prices, volumes, trades = _traded(bars, uniforms(key, bars.minutes, _LANES_OF_TOTALS))
    return (prices * volumes).sum(axis=0), trades.sum(axis=0)


def trade_totals(bars: Bars) -> Ints:
    """Trades of each whole bar as its path counts them: one a step at least, never more than there are lots."""
    return np.minimum(bars.trades + STEPS, bars.volume)


def _traded(bars: Bars, noise: Floats) -> tuple[Ints, Ints, Ints]:
    """Prices, volumes and trades of every step. The last four lanes of the noise are those of the bar."""
    prices = _prices(bars, noise[:STEPS], noise[-4:])
    volumes = _apportion(bars.volume, noise[STEPS : 2 * STEPS])
    trades = np.minimum(_apportion(bars.trades, noise[2 * STEPS : 3 * STEPS]) + 1, volumes)
    return prices, volumes, trades


def _prices(bars: Bars, wiggle: Floats, choice: Floats) -> Ints:
    """Straight lines open, first extreme, second extreme, close, with a wiggle that stays within the bar."""
    first, second = _turning_points(choice)
    rising = np.sign(bars.close - bars.open)
    high_first = choice[2] < 0.5 - 0.25 * rising
    one = np.where(high_first, bars.high, bars.low).astype(np.float64)
    two = np.where(high_first, bars.low, bars.high).astype(np.float64)
    start, end = bars.open.astype(np.float64), bars.close.astype(np.float64)
    step = np.arange(STEPS)[:, None]
    past_first, past_second = step > first, step > second
    place = first * STEPS + second
    # From where a line begins, so much of its way as steps are behind, out of those that it has.
    line = np.where(past_second, end - two, np.where(past_first, two - one, one - start))
    line *= _BEHIND.take(place, axis=1)
    line /= _LENGTH.take(place, axis=1)
    line += np.where(past_second, two, np.where(past_first, one, start))
    rough = wiggle - 0.5
    rough *= (bars.high - bars.low) * _WIGGLE_RATIO
    rough *= _FREE.take(place, axis=1)
    line += rough
    np.rint(line, out=line)
    np.clip(line, bars.low, bars.high, out=line)
    prices: Ints = line.astype(np.int64)
    return prices


def _line_tables() -> tuple[Floats, Floats, Floats]:
    """By step and by `first * STEPS + second`: steps behind on the line, its length, 1 where a price may wiggle."""
    step = np.arange(STEPS)[:, None, None]
    first, second = np.arange(STEPS)[None, :, None], np.arange(STEPS)[None, None, :]
    behind = np.where(step <= first, step, np.where(step <= second, step - first, step - second))
    length = np.where(step <= first, first, np.where(step <= second, second - first, STEPS - 1 - second))
    fixed = (step == 0) | (step == first) | (step == second) | (step == STEPS - 1)
    behind, length, free = (table.reshape(STEPS, -1).astype(np.float64) for table in (behind, length, ~fixed))
    return behind, length, free


_BEHIND, _LENGTH, _FREE = _line_tables()


def _turning_points(choice: Floats) -> tuple[Ints, Ints]:
    first = 1 + (choice[0] * (STEPS - 5)).astype(np.int64)
    room = STEPS - 2 - first
    second = first + 1 + (choice[1] * room).astype(np.int64)
    return first, np.minimum(second, STEPS - 2)


def _apportion(totals: Ints, noise: Floats) -> Ints:
    """Split each total into one part a step, exactly, in proportion to 0.5 .. 1.5."""
    weights = 0.5 + noise
    # Row by row: the running sum of a whole table goes down its columns, which is several times slower.
    for step in range(1, STEPS):
        weights[step] += weights[step - 1]
    upto = weights / weights[-1]
    upto *= totals
    whole = np.floor(upto, out=upto).astype(np.int64)
    whole[-1] = totals
    parts: Ints = whole.copy()
    parts[1:] -= whole[:-1]
    return parts


def _offsets_ms(noise: Floats) -> Ints:
    """The first trade comes a moment after the open, the last one shortly before the close, strictly in order."""
    even = np.arange(STEPS)[:, None] * (_LAST_STEP_MS / (STEPS - 1))
    offsets = (even - noise * 400).astype(np.int64)
    offsets[0] = _FIRST_TRADE_MS + (noise[0] ** 2 * _FIRST_TRADE_SPREAD_MS).astype(np.int64)
    return offsets
