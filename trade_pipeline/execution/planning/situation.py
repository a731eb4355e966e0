"""Everything that a plan may know, read now: ledger, account, books, breakers, locks."""

from __future__ import annotations

from collections.abc import Sequence

from trade_pipeline.execution.breaker.state import increases_stopped, size_factor
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.equity import managed_cash, marks, positions_quote
from trade_pipeline.execution.planning.plan import Situation
from trade_pipeline.ledger.records import BreakerState, Target


def situation_now(desk: Desk, targets: Sequence[Target], stopped: str | None) -> Situation:
    """Everything a plan may know, read now."""
    positions = desk.ledger.positions(desk.account)
    live_orders = desk.ledger.live_orders(desk.account)
    listed = desk.venue.markets()
    # What is held or being bought counts against the limits of what is to be bought.
    known = {t.symbol for t in targets} | {p.symbol for p in positions} | {o.symbol for o in live_orders}
    symbols = sorted(known & set(listed))
    reading = desk.venue.account()
    tops = desk.venue.book_tops(symbols) if symbols else {}
    breakers = desk.ledger.breakers(desk.account)
    return Situation(
        account=desk.account,
        now=desk.now(),
        positions={position.symbol: position.amount for position in positions},
        sleeves=desk.ledger.sleeves_of(desk.account, tuple(symbols)) if symbols else {},
        live_orders=live_orders,
        rules=listed,
        tops=tops,
        free_quote=reading.free(desk.settings.market.quote_asset),
        equity_quote=managed_cash(desk, reading) + positions_quote(positions, tops),
        marks=marks(positions, tops),
        free_base={asset: balance.free for asset, balance in reading.balances.items()},
        increases_stopped=stopped,
        halts={**_locked_since(desk, targets), **_broken(breakers, symbols), **desk.halts()},
        size_factors={symbol: size_factor(breakers, symbol, desk.settings.breaker) for symbol in symbols},
    )


def _broken(breakers: Sequence[BreakerState], symbols: Sequence[str]) -> dict[str, str]:
    reasons = {symbol: increases_stopped(breakers, symbol) for symbol in symbols}
    return {symbol: reason for symbol, reason in reasons.items() if reason is not None}


def _locked_since(desk: Desk, targets: Sequence[Target]) -> dict[str, str]:
    """Symbol -> why: a stop may have sold after the decision read the locks, and must not be bought back by it."""
    locked = {(lock.strategy, lock.symbol): lock.reason for lock in desk.ledger.locks(desk.account, desk.now())}
    found: dict[str, str] = {}
    for target in targets:
        for strategy, quantity in target.sleeves.items():
            if quantity.is_finite() and quantity > 0 and (strategy, target.symbol) in locked:
                found[target.symbol] = f"{strategy} is locked after a {locked[strategy, target.symbol]}"
    return found
