"""freqtrade's published order of precedence within a candle, told once more: one plain loop, no rule shared.

Exact fractions, prices at the open, no fees. What it leaves out (custom prices, timeouts, liquidation, turning round,
an exit whose conventional price lies outside its candle) is held by the published cases and by examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

MINUTES = 60


class OutsideTheCandle(Exception):
    """With leverage the convention for the candle of the entry may name a price that nobody traded at."""


@dataclass(frozen=True)
class Candle:
    open: int
    high: int
    low: int
    close: int
    enters: bool = False
    leaves: bool = False


@dataclass(frozen=True)
class Config:
    """`sign` 1 is long, -1 short. `roi`: minute -> ratio. `custom`: the stop's own ratio follows the best price."""

    sign: int
    stop: Fraction
    roi: tuple[tuple[int, Fraction], ...]
    trailing: bool = False
    positive: Fraction | None = None
    offset: Fraction = Fraction(0)
    only_offset: bool = False
    custom: bool = False
    use_signal: bool = True
    leverage: int = 1


Told = tuple[str, int, int, Fraction]
"""Reason, candle of the opening, candle of the closing, price of the closing."""


def told(candles: Sequence[Candle], config: Config) -> list[Told]:
    """Every trade, one after the other."""
    found, at = [], 1
    while at < len(candles) - 1:
        before = candles[at - 1]
        if before.enters and not before.leaves:
            trade = _trade(candles, config, at)
            found.append(trade)
            at = trade[2]
        at += 1
    return found


def _trade(candles: Sequence[Candle], config: Config, first: int) -> Told:
    s, lever = config.sign, config.leverage
    entry = Fraction(candles[first].open)
    initial = stop = entry * (1 - s * config.stop / lever)
    distance = config.stop
    for at in range(first, len(candles)):
        candle, before = candles[at], candles[at - 1]
        worst, best = (candle.low, candle.high) if s == 1 else (candle.high, candle.low)
        # The best price pulls the stop first, unless the worst has reached it already.
        if s * (worst - stop) > 0:
            ratios = [config.stop] if config.custom else []
            profit = s * (best / entry - 1) * lever
            if config.trailing and not (config.only_offset and profit < config.offset):
                near = config.positive is not None and profit > config.offset
                ratios.append(config.positive if near and config.positive is not None else config.stop)
            for ratio in ratios:
                pulled = best * (1 - s * ratio / lever)
                if s * (pulled - stop) > 0:
                    stop, distance = pulled, ratio
        hit, gapped = s * (worst - stop) <= 0, s * (stop - best) > 0
        if config.use_signal and before.leaves and not before.enters:
            return "exit_signal", first, at, Fraction(candle.open)
        if hit and stop == initial:
            return "stop_loss", first, at, Fraction(candle.open) if gapped else stop
        sold = _target(candle, config, entry, (at - first) * MINUTES, best)
        if sold is not None:
            return "roi", first, at, sold
        if hit:
            price = Fraction(candle.open) if gapped else stop
            if at == first and not gapped:
                price = _within_the_entry(candle, config, distance, worst)
            return "trailing_stop_loss", first, at, price
    return "force_exit", first, len(candles) - 1, Fraction(candles[-1].open)


def _target(candle: Candle, config: Config, entry: Fraction, held: int, best: int) -> Fraction | None:
    begun = [step for step in config.roi if step[0] <= held]
    if not begun:
        return None
    since, ratio = max(begun)
    if config.sign * (best / entry - 1) * config.leverage <= ratio:
        return None
    if ratio == -1 and since % MINUTES == 0:
        return Fraction(candle.open)
    price = entry * (1 + config.sign * ratio / config.leverage)
    if 0 < held == since and since % MINUTES == 0 and config.sign * (candle.open - price) > 0:
        return Fraction(candle.open)
    return min(max(price, Fraction(candle.low)), Fraction(candle.high))


def _within_the_entry(candle: Candle, config: Config, distance: Fraction, worst: int) -> Fraction:
    """Bought and stopped in one candle: it went just far enough to move the stop, then down to it."""
    s, lever = config.sign, config.leverage
    if config.trailing and config.only_offset and config.positive and not config.custom:
        price = candle.open * (1 + s * config.offset - s * config.positive / lever)
    else:
        price = candle.open * (1 - s * distance / lever)
    price = price if s * (price - worst) > 0 else Fraction(worst)
    if not candle.low <= price <= candle.high:
        raise OutsideTheCandle
    return price
