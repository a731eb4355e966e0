"""`market`: the rules on candles as a market would have it (TRADING 21), through `rules.decide`.

Each bar has one path from open to close that touches high and low. Where the caller knows it, its points are the
trades, and a level that is passed is filled at the trade that passed it. Else the likelier path is taken and every
price between its points is traded, so that a level is filled where it stands. From one bar to the next the price may
jump, and a jump fills at the open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from trade_pipeline.errors import ScenarioUnsupported
from trade_pipeline.execution.exits import rules as rule
from trade_pipeline.execution.exits.candles import Bar, Part, Scenario, SimulatedTrade, direction
from trade_pipeline.execution.exits.values import (
    URGENT,
    Entry,
    ExitDecision,
    ExitMemory,
    ExitReason,
    Prices,
)


def run(scenario: Scenario) -> list[SimulatedTrade]:
    """The trades of a scenario. Raises ScenarioUnsupported for orders that a market does not promise to fill."""
    _check(scenario)
    simulation = _Simulation(scenario)
    for before, bar in pairwise(scenario.bars):
        simulation.bar(before, bar, is_last=bar is scenario.bars[-1])
    simulation.close_what_is_left()
    return simulation.closed


def likely_path(bar: Bar) -> tuple[Decimal, ...]:
    """Open, the extreme against the bar's direction, the other one, close: the likelier of the two orders."""
    if bar.close >= bar.open:
        return bar.open, bar.low, bar.high, bar.close
    return bar.open, bar.high, bar.low, bar.close


def _check(scenario: Scenario) -> None:
    limits = {
        "entry_price": scenario.entry_price,
        "exit_price": scenario.exit_price,
        "entry_price_later": scenario.entry_price_later,
        "exit_price_later": scenario.exit_price_later,
        "stop_follows_best": scenario.stop_follows_best,
    }
    for name, value in limits.items():
        if value:
            raise ScenarioUnsupported(
                "the policy `market` has market orders only",
                thing=name,
                value=str(value),
                repair="Leave it out, or use the policy `freqtrade_ohlc`.",
            )


@dataclass
class _Held:
    entry: Entry
    tag: str | None
    memory: ExitMemory = field(default_factory=ExitMemory)
    parts: list[Part] = field(default_factory=list)

    @property
    def share(self) -> Decimal:
        return 1 - sum((part.share for part in self.parts), Decimal(0))


class _Simulation:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.held: _Held | None = None
        self.closed: list[SimulatedTrade] = []
        self.locked: dict[int, datetime] = {}
        """Sign -> when a protective exit locked it (TRADING 13)."""

    def bar(self, before: Bar, bar: Bar, *, is_last: bool) -> None:
        """One bar, with the signals of the one before, which act at its open."""
        was_held = self.held is not None
        if self.held is not None:
            self._leave_at_open(self.held, before, bar)
        if not was_held and not is_last:
            self._enter(before, bar)
        self._unlock(before, bar)
        for start, end in pairwise(self._path(bar)):
            if self.held is None:
                return
            self._move(self.held, start, end, bar.at)

    def close_what_is_left(self) -> None:
        if self.held is not None:
            last = self.scenario.bars[-1]
            self._sell(self.held, last.at, self.held.share, last.close, ExitReason.FORCED)

    def _path(self, bar: Bar) -> Sequence[Decimal]:
        path = self.scenario.path
        return likely_path(bar) if path is None else path(bar)

    def _enter(self, before: Bar, bar: Bar) -> None:
        sign, scenario = direction(before), self.scenario
        if sign is None or sign in self.locked:
            return
        loss = scenario.liquidation_loss_ratio
        liquidation = None if loss is None else bar.open * (1 - sign * loss)
        entry = Entry(bar.open, bar.at, None, scenario.atr, sign, scenario.leverage, liquidation)
        self.held = _Held(entry, before.enter_tag)

    def _unlock(self, before: Bar, bar: Bar) -> None:
        cooldown = self.scenario.lock_cooldown
        for sign, at in list(self.locked.items()):
            if sign not in before.enters or (cooldown is not None and bar.at - at >= cooldown):
                del self.locked[sign]

    def _leave_at_open(self, held: _Held, before: Bar, bar: Bar) -> None:
        """A gap: whatever was jumped over is filled at the open. Then the signal of the bar before."""
        self._decide(held, Prices.of(bar.open), bar.at, (bar.open, bar.open))
        signalled = held.entry.sign in before.exits and held.entry.sign not in before.enters
        if self.held is not None and self.scenario.use_exit_signal and signalled:
            self._sell(held, bar.at, held.share, bar.open, before.exit_tag or ExitReason.SIGNAL)

    def _move(self, held: _Held, start: Decimal, end: Decimal, at: datetime) -> None:
        """The price goes from `start` to `end`: trade by trade where the path is known, else all the way."""
        if self.scenario.path is not None:
            self._decide(held, Prices.of(end), at, (end, end))
            return
        worst, best = (start, end) if rule.better(held.entry, end, start) else (end, start)
        self._decide(held, Prices(worst, best), at, (start, end))

    def _decide(self, held: _Held, prices: Prices, at: datetime, span: tuple[Decimal, Decimal]) -> None:
        # A stage leaves something to decide about; there are only so many of them.
        for _ in range(len(self.scenario.rules.stages) + 1):
            decision, held.memory = self._ask(held, prices, at)
            if decision is None or self.held is None:
                return
            price = min(max(decision.price, min(span)), max(span))
            if decision.reason == ExitReason.HOLDING_TIME:
                price = span[0]
            share = held.share - decision.keep_share if decision.keep_share else held.share
            self._sell(held, at, min(share, held.share), price, decision.reason)

    def _ask(self, held: _Held, prices: Prices, at: datetime) -> tuple[ExitDecision | None, ExitMemory]:
        liquidation, stop = held.entry.liquidation_price, rule.stop_now(self.scenario.rules, held.memory, held.entry)
        comes_first = liquidation is not None and (stop is None or rule.better(held.entry, liquidation, stop))
        if liquidation is not None and comes_first and rule.stop_reached(held.entry, liquidation, prices.worst):
            return ExitDecision(ExitReason.LIQUIDATION, liquidation), held.memory
        return rule.decide(self.scenario.rules, held.memory, held.entry, prices, at)

    def _sell(self, held: _Held, at: datetime, share: Decimal, price: Decimal, reason: str) -> None:
        held.parts.append(Part(at, share, price, str(reason)))
        if held.share > 0:
            return
        self.held = None
        if reason in URGENT:
            self.locked[held.entry.sign] = at
        average = sum((part.share * part.price for part in held.parts), Decimal(0))
        self.closed.append(
            SimulatedTrade(
                opened_at=held.entry.opened_at,
                closed_at=at,
                sign=held.entry.sign,
                entry_price=held.entry.price,
                exit_price=average,
                exit_reason=str(reason),
                profit_ratio=rule.profit_ratio(held.entry, average),
                enter_tag=held.tag,
                parts=tuple(held.parts),
            )
        )
