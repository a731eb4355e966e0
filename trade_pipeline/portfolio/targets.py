"""One target for every symbol in (universe, held, with open orders): SET, FLAT or HOLD (TRADING rules 1, 2, 6).

Reads the account snapshot that is stored with the decision, so its recomputation gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

import polars as pl

from trade_pipeline.portfolio.limits import Wish, fit_total
from trade_pipeline.portfolio.opinions import LastBar, combine, last_bars, missing_strategies, scores_by_symbol
from trade_pipeline.portfolio.sizing import (
    exact,
    exit_passes,
    on_grid,
    split_sleeves,
    stop_distance,
    to_scale,
    wanted_quantity,
)
from trade_pipeline.schemas.frames import TARGETS
from trade_pipeline.schemas.trading import AccountSnapshot, MarketRules, TargetKind
from trade_pipeline.settings.root import Settings

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a decision stands on."""

    scores: Mapping[str, Mapping[str, float | None]]
    bars: Mapping[str, LastBar]
    snapshot: AccountSnapshot
    rules: Mapping[str, MarketRules]
    settings: Settings
    universe: frozenset[str]
    quarantined: Mapping[str, str]
    locks: frozenset[tuple[str, str]]

    def held(self, symbol: str) -> Decimal:
        """Managed base amount and what open buys may still add: the worst case for every cap."""
        return self.snapshot.positions.get(symbol, NOTHING) + max(
            self.snapshot.open_entries.get(symbol, NOTHING), NOTHING
        )

    def price(self, symbol: str) -> Decimal | None:
        """Close of the last bar, else the snapshot's mark, in quote."""
        bar = self.bars.get(symbol)
        close = bar.close if bar else None
        return close if close is not None else self.snapshot.marks.get(symbol)


@dataclass(frozen=True, slots=True)
class Draft:
    """A target that is being worked out."""

    symbol: str
    kind: TargetKind
    reason: str
    price: Decimal | None = None
    distance: Decimal | None = None
    score: float | None = None
    contributions: Mapping[str, Decimal] = field(default_factory=dict)
    wanted: Decimal = NOTHING
    quantity: Decimal | None = None


def decide_targets(
    latest_signals: pl.DataFrame,
    latest_features: pl.DataFrame,
    snapshot: AccountSnapshot,
    rules: Mapping[str, MarketRules],
    settings: Settings,
    *,
    decision_id: str,
    as_of: datetime,
    expires_at: datetime,
    universe: Sequence[str],
    quarantined: Mapping[str, str],
    locks: Collection[tuple[str, str]] = (),
) -> pl.DataFrame:
    """A TARGETS frame sorted by symbol.

    Of the SIGNALS and FEATURES frames only rows with `close_time == as_of` are read: a symbol without one is late
    and HOLD. `quarantined` maps symbols to why they are; `locks` are (strategy, symbol) pairs whose sleeve is 0.
    """
    inputs = Inputs(
        scores=scores_by_symbol(latest_signals, as_of),
        bars=last_bars(latest_features, as_of),
        snapshot=snapshot,
        rules=rules,
        settings=settings,
        universe=frozenset(universe),
        quarantined=quarantined,
        locks=frozenset(locks),
    )
    symbols = sorted({*universe, *_nonzero(snapshot.positions), *_nonzero(snapshot.open_entries)})
    drafts = _fit({symbol: _draft(symbol, inputs) for symbol in symbols}, inputs)
    rows = [_row(drafts[symbol], inputs, decision_id, as_of, expires_at) for symbol in symbols]
    return pl.DataFrame(rows, schema=TARGETS)


def _nonzero(amounts: Mapping[str, Decimal]) -> list[str]:
    return [symbol for symbol, amount in amounts.items() if amount != 0]


def _hold(symbol: str, inputs: Inputs, reason: str, score: float | None = None) -> Draft:
    return Draft(symbol, TargetKind.HOLD, f"HOLD: {reason}", inputs.price(symbol), score=score)


def _draft(symbol: str, inputs: Inputs) -> Draft:
    """The symbol on its own: HOLD where anything is unknown, FLAT where nobody wants it, else SET as wanted."""
    unknown = _why_unknown(symbol, inputs)
    if unknown:
        return _hold(symbol, inputs, unknown)
    weights = inputs.settings.strategies.enabled_weights
    scores = inputs.scores.get(symbol, {})
    missing = missing_strategies(scores, weights)
    exposed = inputs.held(symbol) != 0 or inputs.snapshot.open_entries.get(symbol, NOTHING) != 0
    if len(missing) == len(weights) or (missing and exposed):
        return _hold(symbol, inputs, f"no score from {', '.join(missing) or 'any strategy'}")
    combined = combine(symbol, scores, weights, inputs.locks)
    price = inputs.price(symbol)
    if not combined.contributions or combined.score < inputs.settings.portfolio.score_min:
        locked = sorted(name for name in weights if (name, symbol) in inputs.locks)
        why = f"{', '.join(locked)} locked after a protective exit" if locked else "no strategy wants it"
        return Draft(symbol, TargetKind.FLAT, f"FLAT: {why}", price, score=combined.score, quantity=NOTHING)
    return _sized(symbol, inputs, combined.score, combined.contributions)


def _why_unknown(symbol: str, inputs: Inputs) -> str | None:
    """The first reason for which nothing may be decided about the symbol, or None."""
    bar, rules = inputs.bars.get(symbol), inputs.rules.get(symbol)
    obstacles = {
        f"quarantined, {inputs.quarantined.get(symbol)}": symbol in inputs.quarantined,
        "no longer in the universe": symbol not in inputs.universe,
        "the exchange does not trade it now": rules is None or not rules.active,
        "its bar was not final in time": bar is None,
        "its features are warming up": bar is not None and (bar.close is None or bar.atr is None),
        "the account has no equity to size by": inputs.snapshot.equity_quote <= 0,
    }
    return next((reason for reason, stands in obstacles.items() if stands), None)


def _sized(symbol: str, inputs: Inputs, score: float, contributions: Mapping[str, Decimal]) -> Draft:
    portfolio, bar, rules = inputs.settings.portfolio, inputs.bars[symbol], inputs.rules[symbol]
    assert bar.close is not None and bar.atr is not None, f"{symbol}: _why_unknown lets only known bars through"
    distance = stop_distance(bar.close, bar.atr, rules.price_tick, portfolio)
    if distance >= bar.close:
        return _hold(symbol, inputs, f"a stop {distance} below {bar.close} would lie below zero", score)
    equity = inputs.snapshot.equity_quote
    wanted, capped = wanted_quantity(equity, bar.close, distance, exact(score), portfolio)
    names = "+".join(sorted(contributions))
    limit = "the weight per symbol" if capped else "the risk per position"
    reason = f"SET: {names} at {score:.2f}, sized by {limit}"
    return Draft(symbol, TargetKind.SET, reason, bar.close, distance, score, contributions, wanted)


def _fit(drafts: dict[str, Draft], inputs: Inputs) -> dict[str, Draft]:
    """Quantities of the SETs within the total, on the grid; those too small to be sold again drop out.

    One drops out per round, the lowest score first, because the room it leaves may be enough for another. At most
    as many rounds as there are symbols.
    """
    settled = dict(drafts)
    for _ in range(len(drafts) + 1):
        sets = {symbol: draft for symbol, draft in settled.items() if draft.kind is TargetKind.SET}
        quantities = fit_total({s: _wish(draft, inputs) for s, draft in sets.items()}, _budget(settled, inputs))
        fitted = {s: on_grid(quantity, inputs.rules[s]) for s, quantity in quantities.items()}
        small = [symbol for symbol, draft in sets.items() if not _sellable(draft, fitted[symbol], inputs)]
        if not small:
            return settled | {s: _with_quantity(draft, fitted[s]) for s, draft in sets.items()}
        weakest = min(small, key=lambda symbol: (sets[symbol].score or 0.0, symbol))
        settled[weakest] = _too_small(sets[weakest], inputs)
    raise AssertionError("every round settles one symbol")


def _wish(draft: Draft, inputs: Inputs) -> Wish:
    assert draft.price is not None, f"{draft.symbol}: a SET has a price"
    return Wish(draft.wanted, max(inputs.held(draft.symbol), NOTHING), draft.price)


def _budget(drafts: Mapping[str, Draft], inputs: Inputs) -> Decimal:
    """Quote that the SETs may be worth: the cap on the total less what HOLD symbols hold."""
    equity, portfolio = inputs.snapshot.equity_quote, inputs.settings.portfolio
    budget = equity * portfolio.total_weight_max
    for symbol, draft in drafts.items():
        if draft.kind is not TargetKind.HOLD or inputs.held(symbol) <= 0:
            continue
        # Without any price the holding is counted at the most that a position may be worth.
        budget -= inputs.held(symbol) * draft.price if draft.price else equity * portfolio.position_weight_max
    return budget


def _sellable(draft: Draft, quantity: Decimal, inputs: Inputs) -> bool:
    assert draft.price is not None and draft.distance is not None, f"{draft.symbol}: a SET has price and stop"
    offset = inputs.settings.exits.stop_limit_offset_ratio
    return exit_passes(quantity, draft.price, draft.distance, inputs.rules[draft.symbol], offset)


def _too_small(draft: Draft, inputs: Inputs) -> Draft:
    """Below what the exchange would let us sell: nothing is entered, and what is held stays as it is."""
    if inputs.held(draft.symbol) > 0:
        return _hold(draft.symbol, inputs, "what the limits leave could not be sold again", draft.score)
    reason = "FLAT: what the limits leave could not be sold again"
    return Draft(draft.symbol, TargetKind.FLAT, reason, draft.price, score=draft.score, quantity=NOTHING)


def _with_quantity(draft: Draft, quantity: Decimal) -> Draft:
    cut = quantity < draft.wanted * Decimal("0.99")
    return replace(draft, quantity=quantity, reason=draft.reason + (", cut by the total" if cut else ""))


def _row(draft: Draft, inputs: Inputs, decision_id: str, as_of: datetime, expires_at: datetime) -> dict[str, object]:
    is_set = draft.kind is TargetKind.SET and draft.quantity is not None
    sleeves = {}
    if draft.quantity is not None and is_set:
        sleeves = split_sleeves(draft.quantity, draft.contributions, inputs.rules[draft.symbol].amount_step)
    return {
        "decision_id": decision_id,
        "as_of": as_of,
        "symbol": draft.symbol,
        "kind": str(draft.kind),
        "quantity": draft.quantity,
        "price": to_scale(draft.price) if draft.price is not None else None,
        "stop_distance": to_scale(draft.distance) if draft.distance is not None else None,
        "score": draft.score,
        "weight": _weight(draft, inputs),
        "strategy": "+".join(sorted(sleeves)),
        "sleeves": None if draft.kind is TargetKind.HOLD else _canonical(sleeves),
        "expires_at": expires_at,
        "reason": draft.reason,
    }


def _weight(draft: Draft, inputs: Inputs) -> float | None:
    if draft.quantity is None or draft.price is None or inputs.snapshot.equity_quote <= 0:
        return None
    return float(draft.quantity * draft.price / inputs.snapshot.equity_quote)


def _canonical(sleeves: Mapping[str, Decimal]) -> str:
    """JSON with sorted keys and plain decimal text: equal sleeves are equal bytes."""
    plain = {name: format(amount.normalize(), "f") for name, amount in sleeves.items()}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))
