"""What a strategy makes of one conflict. It writes adjustment events or halts; nothing here trades.

ledger_first       the ledger stands; said in an event
exchange_first     the ledger follows: position adjusted, balance booked as a typed flow, order ended
merge              the union of both sides' fills by trade id; what is left after it halts
most_recent        the side whose last change is later by the exchange's clock
emergency_flatten  as exchange_first, and the guard is asked to sell what is managed and really there
halt               no entries until a person has looked
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from trade_pipeline.errors import LedgerError, LedgerUnavailable
from trade_pipeline.execution.conflicts.kinds import Finding, Kind, Outcome
from trade_pipeline.execution.desk import EVERY, Desk
from trade_pipeline.execution.readback.denied import end, rests_unlisted
from trade_pipeline.execution.readback.forgotten import take_in
from trade_pipeline.execution.readback.reconcile import Reconciliation
from trade_pipeline.execution.sending.submit import book
from trade_pipeline.ledger.records import Event, Fill, Flow
from trade_pipeline.schemas.trading import FlowKind, Side

TRADES_PER_PAGE = 1000
TRADE_PAGES_MAX = 10
"""A history that is longer than this is flagged as truncated: nothing is concluded from a part of it."""
FILLS_MAX = 500


@dataclass(frozen=True, slots=True)
class Decided:
    """`changed`: the ledger is another one now, so compare again. `exit`: the guard should sell the symbol."""

    outcome: Outcome
    why: str
    changed: bool = False
    exit: bool = False


def strategy_of(desk: Desk, finding: Finding) -> str:
    """Which strategy the settings name for this kind."""
    positions = desk.settings.positions
    fixed = {Kind.FOREIGN_ORDER: positions.foreign_orders, Kind.FOREIGN_TRADE: positions.manual_trades}
    if finding.kind in fixed:
        return fixed[finding.kind]
    if finding.kind == Kind.PROTECTION_MISSING:
        return "guard"
    return str(getattr(positions, finding.kind.value, "halt"))


def scope_of(finding: Finding) -> str:
    """Whose entries halt: one symbol's, or everybody's where a balance is in doubt."""
    return finding.subject if "/" in finding.subject else EVERY


def resolve(desk: Desk, finding: Finding, strategy: str, seen: Reconciliation, reference: str) -> Decided:
    """Apply the strategy. `reference` names this conflict and its amounts: what is booked by it is booked once.

    Raises VenueError where the exchange has to be asked and does not answer, LedgerUnavailable.
    """
    if finding.dust:
        return Decided(Outcome.IGNORED, "below one step: dust")
    own = {
        Kind.PROTECTION_MISSING: lambda: Decided(Outcome.FOUND, "the guard places one once none of ours may rest"),
        Kind.FOREIGN_TRADE: lambda: _foreign_trade(desk, finding, strategy, reference),
        Kind.FOREIGN_ORDER: lambda: _foreign_order(desk, finding, strategy, seen),
        Kind.MISSING_ORDER: lambda: _missing_order(desk, finding, strategy, seen),
    }
    if finding.kind in own:
        return own[finding.kind]()
    if strategy == "most_recent":
        strategy = _newer(desk, finding, seen)
    if strategy == "merge":
        return _merged(desk, finding)
    if strategy == "exchange_first":
        return _follow(desk, finding, reference)
    if strategy == "ledger_first":
        _tell(desk, finding, "conflict_kept", "the ledger stands")
        return Decided(Outcome.IGNORED, "the ledger stands")
    if strategy == "emergency_flatten":
        return replace(_follow(desk, finding, reference), why="the guard sells what is managed and there", exit=True)
    return Decided(Outcome.HALTED, str(finding.detail.get("why", "a person has to look")))


def _follow(desk: Desk, finding: Finding, reference: str) -> Decided:
    """The ledger takes over what the exchange says."""
    why = f"adjusted by {finding.gap:+f} to what the exchange has"
    if finding.kind == Kind.POSITION_SHORT:
        desk.ledger.adjust_position(desk.account, finding.subject, finding.gap, None, desk.now(), reference)
    else:
        # Coins that nobody explains are in the balance and in no position: unmanaged, so never sold (TRADING 7).
        kind = FlowKind.RESIDUAL
        desk.ledger.book_flow(Flow(desk.account, finding.subject, kind, finding.gap, desk.now(), reference))
    _tell(desk, finding, "conflict_adjusted", why)
    return Decided(Outcome.RESOLVED, why, changed=True)


def _merged(desk: Desk, finding: Finding) -> Decided:
    """Book every trade of the symbol that one side has and the other has not."""
    symbol = finding.subject if "/" in finding.subject else f"{finding.subject}/{desk.settings.market.quote_asset}"
    if symbol not in desk.venue.markets():
        return Decided(Outcome.HALTED, "there are no trades to merge")
    booked, start = 0, "0"
    for _ in range(TRADE_PAGES_MAX):
        page = desk.venue.trades(symbol, start, TRADES_PER_PAGE)
        booked += len(book(desk, page))
        if len(page) < TRADES_PER_PAGE:
            break
        start = str(max(int(trade.trade_id) for trade in page) + 1)
    else:
        return Decided(Outcome.HALTED, f"the history of trades is longer than {TRADE_PAGES_MAX} pages", booked > 0)
    if booked:
        _tell(desk, finding, "conflict_adjusted", f"{booked} trades merged")
        return Decided(Outcome.RESOLVED, f"{booked} trades that were not booked explain it", changed=True)
    return Decided(Outcome.HALTED, "no trade explains it")


def _newer(desk: Desk, finding: Finding, seen: Reconciliation) -> str:
    """Whose last change is later, by the exchange's clock: booked fills carry its times."""
    quote = desk.settings.market.quote_asset
    symbol = finding.subject if "/" in finding.subject else f"{finding.subject}/{quote}"
    last = desk.ledger.fills(desk.account, None if finding.subject == quote else symbol, limit=1)
    newer = bool(last) and last[0].at >= seen.reading.at
    return "ledger_first" if newer else "exchange_first"


def _foreign_trade(desk: Desk, finding: Finding, policy: str, reference: str) -> Decided:
    if policy == "ignore":
        return Decided(Outcome.IGNORED, "somebody else's coins are not managed")
    if policy == "halt":
        return Decided(Outcome.HALTED, "a trade by hand; unlock the symbol when it is understood")
    fill = _fill_of(desk, finding)
    if fill is None or fill.managed:
        return Decided(Outcome.RESOLVED, "it is an order's of ours")
    base = finding.subject.split("/")[0]
    amount = fill.amount - (fill.fee if fill.fee_asset == base else Decimal(0))
    if fill.side == Side.BUY:
        changed = desk.ledger.adopt(desk.account, fill.symbol, amount, fill.price, fill.at, reference)
    else:
        position = desk.ledger.position(desk.account, fill.symbol)
        amount = min(fill.amount, position.amount if position else Decimal(0))
        changed = amount > 0 and desk.ledger.adjust_position(
            desk.account, fill.symbol, -amount, fill.price, fill.at, reference
        )
    why = f"adopted: the managed position changes by {amount:f}"
    _tell(desk, finding, "conflict_adjusted", why)
    return Decided(Outcome.RESOLVED, why, changed=changed)


def _fill_of(desk: Desk, finding: Finding) -> Fill | None:
    fills = desk.ledger.fills(desk.account, finding.subject, limit=FILLS_MAX)
    return next((fill for fill in fills if fill.trade_id == finding.key.reference), None)


def _foreign_order(desk: Desk, finding: Finding, policy: str, seen: Reconciliation) -> Decided:
    if policy == "ignore":
        return Decided(Outcome.IGNORED, "somebody else's order")
    if policy == "halt":
        return Decided(Outcome.HALTED, "entries of the symbol wait until it is gone")
    named = finding.key.reference
    listed = next((order for order in seen.open_orders if order.order_id == named), None)
    if listed is not None and take_in(desk, listed):
        return Decided(Outcome.RESOLVED, "adopted as an order of ours", changed=True)
    return Decided(Outcome.HALTED, "it cannot be adopted")


def _missing_order(desk: Desk, finding: Finding, strategy: str, seen: Reconciliation) -> Decided:
    """CANCELED with the quantity of its trades, where nothing is locked beyond what is listed: that is the proof."""
    if strategy != "exchange_first":
        return Decided(Outcome.HALTED, "the exchange denies it")
    order = desk.ledger.order(finding.key.reference)
    if order is None or order.venue_order_id is None:
        return Decided(Outcome.HALTED, "the exchange never acknowledged it")
    listed = (*seen.open_orders, *(bad.order for bad in seen.bad_orders))
    if rests_unlisted(order, seen.reading, listed):
        return Decided(Outcome.HALTED, "coins are still locked as if it rested")
    try:
        end(desk, order, "the exchange has it in no list and locks nothing for it")
    except LedgerUnavailable:
        raise
    except LedgerError as error:
        return Decided(Outcome.HALTED, str(error))
    _tell(desk, finding, "conflict_adjusted", "the order is over: the exchange has it no more")
    return Decided(Outcome.RESOLVED, "CANCELED with the quantity of its trades", changed=True)


def _tell(desk: Desk, finding: Finding, kind: str, why: str) -> None:
    """An adjustment is an event that a person finds later."""
    symbol = finding.subject if "/" in finding.subject else None
    detail = {"conflict": finding.key.kind, "subject": finding.subject, "why": why}
    desk.ledger.record_event(Event(desk.now(), kind, "warning", desk.account, symbol, detail=detail))


def unsettled(decided: Decided) -> Decided:
    """What was resolved and is there again in the same cycle halts (RELIABILITY statement 10)."""
    return replace(decided, outcome=Outcome.HALTED, why=f"it does not settle: {decided.why}", changed=False)
