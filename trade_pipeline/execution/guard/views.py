"""What the rules say of one position now: its stop, its target, whether an exit is due, which protection should rest.

Pure: state in, view and state out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.execution.exits.from_settings import exit_rules
from trade_pipeline.execution.exits.rules import decide, is_trailing, stop_now, target_now
from trade_pipeline.execution.exits.values import URGENT, Entry, ExitDecision, ExitMemory, ExitReason, Prices
from trade_pipeline.execution.guard.memory import memory_of, run_of, with_run
from trade_pipeline.execution.guard.run import WORDS, ExitRun, advanced, first_immediate_step
from trade_pipeline.execution.guard.switching import Protection, protection_of, takes_profit, wanted_protection
from trade_pipeline.execution.ids import intent_id
from trade_pipeline.execution.planning.plan import UNRESOLVED
from trade_pipeline.execution.rounding import amount_down, is_dust, on_step
from trade_pipeline.ledger.records import ExitState, Order
from trade_pipeline.schemas.trading import PROTECTIVE, BookTop, MarketRules, Position, Role
from trade_pipeline.settings.exits import ExitSettings


@dataclass(frozen=True, slots=True)
class View:
    """What should be true of a position. Prices in quote, on the price grid."""

    stop: Decimal
    target: Decimal | None = None
    run: ExitRun | None = None
    rest: Protection = "stop"
    trailing: bool = False
    """The stop stands where a price has pulled it."""

    @property
    def stop_reason(self) -> str:
        return WORDS[ExitReason.TRAILING_STOP if self.trailing else ExitReason.STOP_LOSS]


@dataclass(frozen=True, slots=True)
class Sight:
    """One position as it is seen: `distance` of its stop and `atr` in quote, `orders` its live protection and exits."""

    position: Position
    distance: Decimal
    atr: Decimal
    rules: MarketRules
    top: BookTop | None
    orders: Sequence[Order]
    now: datetime
    may_begin: bool = True
    """False while `flatten` sells: nobody else begins an exit."""
    may_begin_calmly: bool = True
    """False for a while after the exchange refused a sale that can wait."""
    pairs: bool = False
    """Whether the exchange can hold a stop and a take-profit as one order list."""

    @property
    def last(self) -> Decimal | None:
        """The last trade; a price of 0 is never used (RELIABILITY 25)."""
        return self.top.last if self.top is not None and self.top.last > 0 else None

    @property
    def resting(self) -> Protection | None:
        """Which protection rests on the exchange."""
        return protection_of(order for order in self.orders if order.role in PROTECTIVE)


def simple_view(sight: Sight) -> View:
    """Of a position whose price or opening is unknown: nothing but a stop at the distance."""
    average = sight.position.average_price or Decimal(0)
    return View(_on_grid(average - sight.distance, sight.rules))


def look(sight: Sight, state: ExitState, exits: ExitSettings) -> tuple[View, ExitState]:
    """The view, and what is to be remembered before anybody acts on it."""
    rules, entry = exit_rules(exits), _entry(sight)
    run, state = _still_running(sight, state, exits)
    memory, decision = memory_of(state), None
    if sight.last is not None:
        decision, memory = decide(rules, memory, entry, Prices.of(sight.last), sight.now)
    began = _begun(sight, state, run, decision, exits)
    if began is None:
        memory = replace(memory, stages_done=state.stages_done)  # A stage counts from its exit on.
    stop = stop_now(rules, memory, entry)
    assert stop is not None, "a distance always gives a stop"
    trailing = is_trailing(rules, memory, entry)
    target = _target_on_grid(target_now(rules, entry, entry.minutes_held(sight.now)), sight.rules)
    on_grid = _on_grid(stop, sight.rules)
    rest = wanted_protection(
        exits.switching,
        sight.resting,
        state.switched_at,
        stop=on_grid,
        target=target,
        last=sight.last,
        pairs=sight.pairs,
        now=sight.now,
    )
    view = View(on_grid, target, began or run, rest, trailing)
    return view, _remembered(sight, state, memory, view)


def _entry(sight: Sight) -> Entry:
    position = sight.position
    assert position.average_price, "a position without a price has a simple view"
    assert position.opened_at is not None, "a position that is flat has a simple view"
    return Entry(position.average_price, position.opened_at, sight.distance, sight.atr)


def _still_running(sight: Sight, state: ExitState, exits: ExitSettings) -> tuple[ExitRun | None, ExitState]:
    """The exit under way, one step on if it is time; None once it is done or has expired without an order."""
    run = run_of(state)
    if run is None:
        return None, state
    selling = [order for order in sight.orders if order.role == Role.EXIT]
    price = sight.last or run.reference
    done = is_dust(max(sight.position.amount - run.keep, Decimal(0)), price, sight.rules)
    if selling and any(order.state in UNRESOLVED for order in selling):
        return run, state
    if done and not selling:
        return None, replace(state, detail=with_run(state.detail, None))
    if sight.now >= run.expires_at and not selling and run.reason != ExitReason.LIQUIDATION:
        # What it wanted may be past; what still holds is decided anew, with an intent of its own. No rule would decide
        # a liquidation anew: that one lasts until it is done.
        undone = state.stages_done - 1 if run.reason == ExitReason.STAGE else state.stages_done
        return None, replace(state, stages_done=max(undone, 0), detail=with_run(state.detail, None))
    return advanced(run, exits, sight.now, resting=bool(selling)), state


def _begun(
    sight: Sight, state: ExitState, run: ExitRun | None, decision: ExitDecision | None, exits: ExitSettings
) -> ExitRun | None:
    """A new exit, where one is due that is not under way."""
    if decision is None or not sight.may_begin or sight.last is None:
        return None
    if not decision.urgent and not sight.may_begin_calmly:
        return None
    if any(order.state in UNRESOLVED for order in sight.orders):
        return None
    if run is not None and (run.urgent or not decision.urgent):
        return None  # The same again, or nothing that could not wait (its time-to-live bounds the waiting).
    if any(_will_trigger(order, decision, sight.last) for order in sight.orders):
        return None  # The exchange is at it.
    if run is None and any(order.role == Role.EXIT for order in sight.orders):
        return None  # Somebody else sells.
    account, symbol = sight.position.account, sight.position.symbol
    run = begin(account, symbol, decision.reason, sight.last, sight.now, exits)
    # Waiting for a price is for a position whose stop rested until now; a naked one is sold without it.
    step = 0 if sight.resting is not None else first_immediate_step(run, exits)
    return replace(run, keep=_kept(sight, state, decision), step=step)


def begin(account: str, symbol: str, reason: ExitReason, last: Decimal, now: datetime, exits: ExitSettings) -> ExitRun:
    """A run that begins now and sells everything. Its intent is named after symbol, reason and time."""
    return ExitRun(
        reason=reason,
        intent_id=intent_id(account, f"guard|{reason}|{now.isoformat()}", symbol, Role.EXIT),
        began_at=now,
        expires_at=now + timedelta(seconds=exits.intent_ttl_s),
        reference=last,
        urgent=reason in URGENT,
        step_at=now,
    )


def _will_trigger(order: Order, decision: ExitDecision, last: Decimal) -> bool:
    """A resting order whose trigger the price has passed and whose limit it has not gapped: the exchange sells."""
    request = order.request
    if order.role not in PROTECTIVE or request.stop_price is None:
        return False
    within_limit = request.price is None or request.price <= last
    if takes_profit(order):
        return decision.reason == ExitReason.TARGET and request.stop_price <= last and within_limit
    return decision.urgent and request.stop_price >= last and within_limit


def _kept(sight: Sight, state: ExitState, decision: ExitDecision) -> Decimal:
    if not decision.keep_share:
        return Decimal(0)
    whole = Decimal(str(state.detail.get("staged_from", sight.position.amount)))
    return amount_down(whole * decision.keep_share, sight.rules)


def _remembered(sight: Sight, state: ExitState, memory: ExitMemory, view: View) -> ExitState:
    detail = with_run(state.detail, view.run)
    detail["stop"] = f"{view.stop:f}"
    detail["target"] = None if view.target is None else f"{view.target:f}"
    detail["trailed_stop"] = None if memory.trailed_stop is None else f"{memory.trailed_stop:f}"
    detail["trailed_ratio"] = None if memory.trailed_ratio is None else f"{memory.trailed_ratio:f}"
    if memory.stages_done and "staged_from" not in detail:
        detail["staged_from"] = f"{sight.position.amount:f}"
    return replace(
        state,
        highest=memory.best,
        trailing_active=view.trailing,
        protection=sight.resting or state.protection,
        stages_done=memory.stages_done,
        detail=detail,
        updated_at=sight.now,
    )


def _target_on_grid(target: Decimal | None, rules: MarketRules) -> Decimal | None:
    """A target at or below 0 is one that any price has reached."""
    return None if target is None or target <= 0 else on_step(target, rules.price_tick, up=True)


def _on_grid(stop: Decimal, rules: MarketRules) -> Decimal:
    """On the price grid and never below one tick."""
    return max(on_step(stop, rules.price_tick), rules.price_tick)
