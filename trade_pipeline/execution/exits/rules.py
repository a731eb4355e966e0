"""The rules, one function each, and `decide`, which asks them in order. Prices in quote, ratios as shares.

Every function works for both signs of a position: "better" is up for a long one and down for a short one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from trade_pipeline.execution.exits.values import (
    Entry,
    ExitDecision,
    ExitMemory,
    ExitReason,
    ExitRules,
    Prices,
    ProfitStep,
)

NO_PROFIT_NEEDED = Decimal(-1)
"""Profit ratio of a step that leaves at any price."""


def profit_ratio(entry: Entry, price: Decimal) -> Decimal:
    """Profit before fees at `price` as a share of what the entry cost, leverage included."""
    return entry.sign * (price / entry.price - 1) * entry.leverage


def price_at(entry: Entry, ratio: Decimal) -> Decimal:
    """The price at which the profit before fees is `ratio`."""
    return entry.price * (1 + entry.sign * ratio / entry.leverage)


def better(entry: Entry, price: Decimal, than: Decimal) -> bool:
    """Whether `price` is more favourable to the position than the other one."""
    return entry.sign * (price - than) > 0


def base_stop(rules: ExitRules, entry: Entry) -> Decimal | None:
    """The stop before anything has trailed; None where no rule says how far it is."""
    if rules.atr_stop_multiple is not None and entry.atr is not None:
        return entry.price - entry.sign * rules.atr_stop_multiple * entry.atr
    if rules.stop_ratio is not None:
        return stop_behind(entry, entry.price, rules.stop_ratio)
    return None if entry.stop_distance is None else entry.price - entry.sign * entry.stop_distance


def stop_behind(entry: Entry, price: Decimal, ratio: Decimal) -> Decimal:
    """The stop that follows `price` at a loss of `ratio` (a leveraged position loses it earlier)."""
    return price * (1 - entry.sign * abs(ratio) / entry.leverage)


def stop_now(rules: ExitRules, memory: ExitMemory, entry: Entry) -> Decimal | None:
    """Where the stop stands: the tighter of the first one and the one that was pulled up."""
    first, trailed = base_stop(rules, entry), memory.trailed_stop
    if first is None or trailed is None:
        return trailed if first is None else first
    return trailed if better(entry, trailed, first) else first


def is_trailing(rules: ExitRules, memory: ExitMemory, entry: Entry) -> bool:
    """Whether the stop stands where a price has pulled it."""
    first = base_stop(rules, entry)
    return memory.trailed_stop is not None and (first is None or better(entry, memory.trailed_stop, first))


def stop_reached(entry: Entry, stop: Decimal, worst: Decimal) -> bool:
    """A trade at the stop reaches it."""
    return not better(entry, worst, stop)


def trailing_ratio(rules: ExitRules, profit: Decimal) -> Decimal | None:
    """The distance that trails a best price with this profit; None: nothing trails yet."""
    trailing = rules.trailing
    if trailing is None or (trailing.only_when_activated and profit < trailing.activation_ratio):
        return None
    if trailing.positive_ratio is not None and profit > trailing.activation_ratio:
        return trailing.positive_ratio
    return trailing.distance_ratio


def pulled(rules: ExitRules, memory: ExitMemory, entry: Entry, stop: Decimal, ratio: Decimal | None) -> ExitMemory:
    """Memory with the stop at `stop` if that is tighter: a stop never gives way."""
    now = stop_now(rules, memory, entry)
    if now is not None and not better(entry, stop, now):
        return memory
    return replace(memory, trailed_stop=stop, trailed_ratio=ratio)


def trail(rules: ExitRules, memory: ExitMemory, entry: Entry, best: Decimal) -> ExitMemory:
    """Memory after the price has been at `best`."""
    if memory.best is None or better(entry, best, memory.best):
        memory = replace(memory, best=best)
    profit = profit_ratio(entry, best)
    ratio = trailing_ratio(rules, profit)
    if ratio is not None:
        memory = pulled(rules, memory, entry, stop_behind(entry, best, ratio), ratio)
    if rules.atr_trailing_multiple is not None and entry.atr is not None:
        memory = pulled(rules, memory, entry, best - entry.sign * rules.atr_trailing_multiple * entry.atr, None)
    if rules.breakeven_at_ratio is not None and profit >= rules.breakeven_at_ratio:
        memory = pulled(rules, memory, entry, price_at(entry, rules.breakeven_margin_ratio), None)
    return memory


def target_step(rules: ExitRules, minutes_held: int) -> ProfitStep | None:
    """The step in force: the latest one that has begun."""
    begun = [step for step in rules.targets if step.after_minutes <= minutes_held]
    return max(begun, key=lambda step: step.after_minutes) if begun else None


def target_now(rules: ExitRules, entry: Entry, minutes_held: int) -> Decimal | None:
    """The nearer of the two prices at which the whole position has earned enough; None without a target."""
    step, prices = target_step(rules, minutes_held), []
    if step is not None:
        prices.append(price_at(entry, step.profit_ratio))
    if rules.atr_target_multiple is not None and entry.atr is not None:
        prices.append(entry.price + entry.sign * rules.atr_target_multiple * entry.atr)
    return min(prices, key=lambda price: entry.sign * price) if prices else None


def target_reached(entry: Entry, target: Decimal, best: Decimal) -> bool:
    """Traded through, not only touched: whoever sells at the target is filled only then (TRADING 21)."""
    return better(entry, best, target)


def stage_reached(rules: ExitRules, memory: ExitMemory, entry: Entry, best: Decimal) -> bool:
    """Whether the next stage is due; one at a time, each at its own price."""
    if memory.stages_done >= len(rules.stages):
        return False
    return profit_ratio(entry, best) >= rules.stages[memory.stages_done].profit_ratio


def keep_share(rules: ExitRules, stages: int) -> Decimal:
    """What stays after so many stages, as a share of what was held before the first."""
    return 1 - sum((stage.share for stage in rules.stages[:stages]), Decimal(0))


def held_too_long(rules: ExitRules, entry: Entry, now: datetime) -> bool:
    return rules.holding_max is not None and now - entry.opened_at >= rules.holding_max


def decide(
    rules: ExitRules, memory: ExitMemory, entry: Entry, prices: Prices, now: datetime
) -> tuple[ExitDecision | None, ExitMemory]:
    """What to do now, and what to remember. The stop is asked before the same look's best price may pull it.

    Stop, target, stages, holding time, in this order: the first that answers decides.
    """
    stop = stop_now(rules, memory, entry)
    if stop is not None and stop_reached(entry, stop, prices.worst):
        trailing = is_trailing(rules, memory, entry)
        return ExitDecision(ExitReason.TRAILING_STOP if trailing else ExitReason.STOP_LOSS, stop), memory
    memory = trail(rules, memory, entry, prices.best)
    target = target_now(rules, entry, entry.minutes_held(now))
    if target is not None and target_reached(entry, target, prices.best):
        return ExitDecision(ExitReason.TARGET, target), memory
    if stage_reached(rules, memory, entry, prices.best):
        stages = memory.stages_done + 1
        price = price_at(entry, rules.stages[stages - 1].profit_ratio)
        return ExitDecision(ExitReason.STAGE, price, keep_share(rules, stages)), replace(memory, stages_done=stages)
    if held_too_long(rules, entry, now):
        return ExitDecision(ExitReason.HOLDING_TIME, prices.worst), memory
    return None, memory
