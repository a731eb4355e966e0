"""`freqtrade_ohlc`: the rules on candles under the conventions of freqtrade's backtest, not the market's.

A signal acts at the next open. Within a candle an exit signal comes first, then a stop that has not moved, then the
target, then a stop that has trailed; the best price pulls the stop before the worst one is held against it, unless
the worst has reached it already. Orders fill when their price lies within the candle. At the end what is left is
closed at the last open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from trade_pipeline.errors import ScenarioUnsupported
from trade_pipeline.execution.exits import rules as rule
from trade_pipeline.execution.exits.candles import Bar, Part, Scenario, SimulatedTrade, direction
from trade_pipeline.execution.exits.values import LONG, Entry, ExitMemory, ExitReason


@dataclass
class _Order:
    price: Decimal
    placed_at: datetime
    reason: str = ""


@dataclass
class _Trade:
    entry: Entry
    tag: str | None
    entering: _Order | None
    leaving: _Order | None = None
    filled: bool = False
    memory: ExitMemory = field(default_factory=ExitMemory)


def run(scenario: Scenario) -> list[SimulatedTrade]:
    """The trades of a scenario. Raises ScenarioUnsupported for rules that freqtrade does not have."""
    _check(scenario)
    simulation = _Simulation(scenario)
    for before, bar in pairwise(scenario.bars):
        simulation.candle(before, bar, is_last=bar is scenario.bars[-1])
    simulation.close_what_is_left()
    return simulation.closed


def _check(scenario: Scenario) -> None:
    rules = scenario.rules
    foreign = {
        "stages": rules.stages,
        "atr_stop_multiple": rules.atr_stop_multiple,
        "atr_target_multiple": rules.atr_target_multiple,
        "atr_trailing_multiple": rules.atr_trailing_multiple,
        "breakeven_at_ratio": rules.breakeven_at_ratio,
        "holding_max": rules.holding_max,
        "lock_cooldown": scenario.lock_cooldown,
        "path": scenario.path,
    }
    for name, value in foreign.items():
        if value:
            raise ScenarioUnsupported(
                "freqtrade_ohlc has no such rule", thing=name, value=str(value), repair="Use the policy `market`."
            )
    if rules.stop_ratio is None:
        raise ScenarioUnsupported("freqtrade_ohlc needs a stop", thing="stop_ratio", repair="Name a loss ratio.")


class _Simulation:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.open: _Trade | None = None
        self.closed: list[SimulatedTrade] = []

    def candle(self, before: Bar, bar: Bar, *, is_last: bool) -> None:
        """One candle with the signals of the one before. A position that closes may turn round within it."""
        wanted = direction(before)
        for _ in range(2):
            held = self.open.entry.sign if self.open else None
            self._pass(before, bar, None if is_last else wanted)
            if wanted is None or held is None or self.open is not None or held == wanted:
                return

    def close_what_is_left(self) -> None:
        trade = self.open
        if trade is not None and trade.filled:
            last = self.scenario.bars[-1]
            self._close(trade, _Order(last.open, last.at, ExitReason.FORCED), last.at)
        self.open = None

    def _pass(self, before: Bar, bar: Bar, wanted: int | None) -> None:
        if self.open is not None and self._gives_up(self.open, bar):
            self.open = None
        if self.open is None and wanted is not None:
            self.open = self._enter(before, bar, wanted)
        trade = self.open
        if trade is None:
            return
        if trade.entering is not None:
            self._fill_entry(trade, bar)
        if trade.filled:
            self._place_exit(trade, before, bar)
        if trade.leaving is not None and bar.low <= trade.leaving.price <= bar.high:
            self._close(trade, trade.leaving, bar.at)

    def _gives_up(self, trade: _Trade, bar: Bar) -> bool:
        """Cancel or reprice what was not filled; True when the trade never began and its order is given up."""
        scenario = self.scenario
        if trade.entering is not None:
            if _timed_out(trade.entering, bar, scenario.entry_timeout):
                return True
            _reprice(trade.entering, scenario.entry_price_later, bar)
        if trade.leaving is not None:
            if _timed_out(trade.leaving, bar, scenario.exit_timeout):
                trade.leaving = None
            else:
                _reprice(trade.leaving, scenario.exit_price_later, bar)
        return False

    def _enter(self, before: Bar, bar: Bar, sign: int) -> _Trade:
        price = self.scenario.entry_price or bar.open
        # A limit beyond the candle is filled at its edge: nobody pays more than anybody asked.
        price = min(price, bar.high) if sign == LONG else max(price, bar.low)
        entry = Entry(price, bar.at, atr=self.scenario.atr, sign=sign, leverage=self.scenario.leverage)
        return _Trade(entry, before.enter_tag, _Order(price, bar.at))

    def _fill_entry(self, trade: _Trade, bar: Bar) -> None:
        assert trade.entering is not None
        price = trade.entering.price
        if not bar.low <= price <= bar.high:
            return
        ratio, sign = self.scenario.liquidation_loss_ratio, trade.entry.sign
        liquidation = None if ratio is None else price * (1 - sign * ratio)
        trade.entry = replace(trade.entry, price=price, liquidation_price=liquidation)
        trade.entering, trade.filled, trade.memory = None, True, ExitMemory()

    def _place_exit(self, trade: _Trade, before: Bar, bar: Bar) -> None:
        for reason, named in self._exits(trade, before, bar):
            price = self._exit_price(trade, reason, bar)
            if price is None or (trade.leaving is not None and trade.leaving.price == price):
                continue
            trade.leaving = _Order(price, bar.at, named)
            return

    def _exits(self, trade: _Trade, before: Bar, bar: Bar) -> Iterator[tuple[ExitReason, str]]:
        """What asks for an exit, in order of precedence, with the name under which it is reported."""
        rules, entry = self.scenario.rules, trade.entry
        worst, best = (bar.low, bar.high) if entry.sign == LONG else (bar.high, bar.low)
        trade.memory = self._pull_stop(trade, worst, best)
        stop = _stop(self.scenario, trade)
        stopped: ExitReason | None = None
        if rule.stop_reached(entry, stop, worst):
            trailing = rule.is_trailing(rules, trade.memory, entry)
            stopped = ExitReason.TRAILING_STOP if trailing else ExitReason.STOP_LOSS
        elif entry.liquidation_price is not None and rule.stop_reached(entry, entry.liquidation_price, worst):
            stopped = ExitReason.LIQUIDATION
        if self.scenario.use_exit_signal and entry.sign in before.exits and entry.sign not in before.enters:
            yield ExitReason.SIGNAL, before.exit_tag or ExitReason.SIGNAL
        if stopped in {ExitReason.STOP_LOSS, ExitReason.LIQUIDATION}:
            yield stopped, stopped
        target = rule.target_now(rules, entry, entry.minutes_held(bar.at))
        if target is not None and rule.target_reached(entry, target, best):
            yield ExitReason.TARGET, ExitReason.TARGET
        if stopped == ExitReason.TRAILING_STOP:
            yield stopped, stopped

    def _pull_stop(self, trade: _Trade, worst: Decimal, best: Decimal) -> ExitMemory:
        scenario, entry, memory = self.scenario, trade.entry, trade.memory
        if rule.stop_reached(entry, _stop(scenario, trade), worst):
            return memory
        if scenario.stop_follows_best and scenario.rules.stop_ratio is not None:
            ratio = scenario.rules.stop_ratio
            memory = rule.pulled(scenario.rules, memory, entry, rule.stop_behind(entry, best, ratio), ratio)
        return rule.trail(scenario.rules, memory, entry, best)

    def _exit_price(self, trade: _Trade, reason: ExitReason, bar: Bar) -> Decimal | None:
        if reason == ExitReason.SIGNAL:
            price = self.scenario.exit_price or bar.open
            return max(price, bar.low) if trade.entry.sign == LONG else min(price, bar.high)
        if reason == ExitReason.TARGET:
            return _target_price(self.scenario, trade, bar)
        return _stop_price(self.scenario, trade, reason, bar)

    def _close(self, trade: _Trade, order: _Order, at: datetime) -> None:
        profit = rule.profit_ratio(trade.entry, order.price)
        part = Part(at, Decimal(1), order.price, order.reason)
        self.closed.append(
            SimulatedTrade(
                opened_at=trade.entry.opened_at,
                closed_at=at,
                sign=trade.entry.sign,
                entry_price=trade.entry.price,
                exit_price=order.price,
                exit_reason=order.reason,
                profit_ratio=profit,
                enter_tag=trade.tag,
                parts=(part,),
            )
        )
        self.open = None


def _timed_out(order: _Order, bar: Bar, timeout: timedelta) -> bool:
    return order.placed_at < bar.at - timeout


def _reprice(order: _Order, price: Decimal | None, bar: Bar) -> None:
    """A new price is a new order with a time of its own; the same price leaves the old one where it is."""
    if price is not None and price != order.price and order.placed_at < bar.at:
        order.price, order.placed_at = price, bar.at


def _stop(scenario: Scenario, trade: _Trade) -> Decimal:
    stop = rule.stop_now(scenario.rules, trade.memory, trade.entry)
    assert stop is not None, "checked: the rules have a stop"
    return stop


def _stop_price(scenario: Scenario, trade: _Trade, reason: ExitReason, bar: Bar) -> Decimal:
    entry, stop = trade.entry, _stop(scenario, trade)
    if reason == ExitReason.LIQUIDATION and entry.liquidation_price is not None:
        stop = entry.liquidation_price
    best, worst = (bar.high, bar.low) if entry.sign == LONG else (bar.low, bar.high)
    if rule.better(entry, stop, best):
        return bar.open  # The whole candle lies beyond the stop: it opened there.
    if reason == ExitReason.TRAILING_STOP and entry.minutes_held(bar.at) == 0:
        # In the candle of the entry the worst is assumed: just far enough to pull the stop, then down to it.
        floor = _worst_trailing_price(scenario, trade, bar)
        return floor if rule.better(entry, floor, worst) else worst
    return stop


def _worst_trailing_price(scenario: Scenario, trade: _Trade, bar: Bar) -> Decimal:
    entry, trailing = trade.entry, scenario.rules.trailing
    if (
        trailing is not None
        and not scenario.stop_follows_best
        and trailing.only_when_activated
        and trailing.positive_ratio
    ):
        moved = trailing.activation_ratio - trailing.positive_ratio / entry.leverage
        return bar.open * (1 + entry.sign * moved)
    return rule.stop_behind(entry, bar.open, trade.memory.trailed_ratio or Decimal(0))


def _target_price(scenario: Scenario, trade: _Trade, bar: Bar) -> Decimal | None:
    """The target, or the open where a new step has just come into force; None where entering was a piece of luck."""
    entry, held = trade.entry, trade.entry.minutes_held(bar.at)
    step = rule.target_step(scenario.rules, held)
    assert step is not None, "a target was reached"
    begins_with_candle = timedelta(minutes=step.after_minutes) % scenario.timeframe == timedelta(0)
    if step.profit_ratio == rule.NO_PROFIT_NEEDED and begins_with_candle:
        return bar.open
    target = rule.price_at(entry, step.profit_ratio)
    if 0 < held == step.after_minutes and begins_with_candle and rule.better(entry, bar.open, target):
        return bar.open
    falls = rule.better(entry, bar.open, bar.close)
    if held == 0 and falls and rule.better(entry, bar.open, entry.price) and rule.better(entry, target, bar.close):
        # Entered below the open of a falling candle: that its high came after the entry cannot be known.
        return None
    return min(max(target, bar.low), bar.high)
