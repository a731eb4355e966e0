"""The ledger's part of a status: decision, money, positions, orders, locks, lost ticks. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from trade_pipeline.execution.returns import net_profit
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Decision, Event, ExitState, Order, Outcome
from trade_pipeline.observe.values import HeldPosition, LastDecision, LockLine, Money, OpenOrder
from trade_pipeline.schemas.trading import PROTECTIVE, OrderType, Position

MINUTE = timedelta(minutes=1)
_LOST_WINDOW = timedelta(hours=24)
_DECIDED_WITHIN = timedelta(seconds=20)


def last_decision(ledger: Ledger, account: str) -> LastDecision | None:
    decision = ledger.newest_decision(account)
    if decision is None:
        return None
    outcomes = ledger.outcomes(decision.decision_id)
    orders = _orders_of(ledger, account, decision)
    answered = [order.acknowledged_at for order in orders if order.acknowledged_at]
    return LastDecision(
        decision_id=decision.decision_id,
        as_of=decision.as_of,
        latency_s=(decision.decided_at - decision.as_of).total_seconds(),
        order_latency_s=(min(answered) - decision.as_of).total_seconds() if answered else None,
        orders=len(orders),
        why=_why(outcomes, len(orders)),
    )


def _orders_of(ledger: Ledger, account: str, decision: Decision) -> list[Order]:
    recent = ledger.orders(account, since=decision.as_of, limit=200)
    intents = {order.intent_id: ledger.intent(order.intent_id) for order in recent}
    return [
        order
        for order in recent
        if (intent := intents[order.intent_id]) is not None and intent.decision_id == decision.decision_id
    ]


def _why(outcomes: list[Outcome], orders: int) -> str:
    if not outcomes:
        return f"{orders} orders" if orders else "not executed yet"
    last = outcomes[-1]
    reason = last.detail.get("reason") or last.detail.get("why") or ""
    return f"{last.stage}: {last.outcome}" + (f" ({reason})" if reason else "")


def money(ledger: Ledger, account: str, at: datetime) -> Money | None:
    """None before the first point of the equity curve."""
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    points = ledger.equity(account, since=midnight - timedelta(hours=1)) or ledger.equity(account)
    if not points:
        return None
    last = points[-1]
    before = [point for point in points if point.at < midnight]
    first = before[-1] if before else points[0]
    peak = max(last.peak_quote, last.equity_quote)
    return Money(
        equity_quote=last.equity_quote,
        profit_today_quote=net_profit(last) - (net_profit(first) if first is not last else Decimal(0)),
        profit_total_quote=net_profit(last),
        fees_quote=last.fees_quote,
        drawdown_ratio=Decimal(1) - last.equity_quote / peak if peak else Decimal(0),
        at=last.at,
    )


def held_positions(ledger: Ledger, account: str, marks: Mapping[str, Decimal]) -> list[HeldPosition]:
    protecting = [order for order in ledger.live_orders(account) if order.role in PROTECTIVE]
    # Of a pair the take-profit: it is told with the stop that it rests beside.
    resting = {order.symbol: order for order in sorted(protecting, key=_takes_profit)}
    states = ledger.exit_states(account)
    return [
        _held(position, resting.get(position.symbol), states.get(position.symbol), marks.get(position.symbol), strategy)
        for position in ledger.positions(account)
        for strategy in [", ".join(sorted(ledger.sleeves(account, position.symbol)))]
    ]


def _held(
    position: Position, order: Order | None, state: ExitState | None, mark: Decimal | None, strategy: str
) -> HeldPosition:
    profits = order is not None and _takes_profit(order)
    known = state if state is not None and state.opened_at == position.opened_at else None
    level = None if order is None else order.request.stop_price
    return HeldPosition(
        symbol=position.symbol,
        amount=position.amount,
        entry=position.average_price,
        mark=mark,
        profit_quote=None if mark is None else position.amount * mark - position.cost_quote - position.fees_quote,
        stop=_level(known, "stop") if profits else level,
        strategy=strategy,
        target=level if profits else _level(known, "target"),
        high=known.highest if known is not None and known.trailing_active else None,
        rests="none" if order is None else "profit" if profits else "stop",
    )


def _takes_profit(order: Order) -> bool:
    return order.request.type in {OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}


def _level(state: ExitState | None, name: str) -> Decimal | None:
    value = None if state is None else state.detail.get(name)
    return None if value is None else Decimal(str(value))


def open_orders(ledger: Ledger, account: str, at: datetime) -> list[OpenOrder]:
    return [
        OpenOrder(
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=str(order.request.side),
            role=str(order.role),
            state=str(order.state),
            amount=order.request.amount,
            filled=order.filled,
            price=order.request.price,
            stop_price=order.request.stop_price,
            age_s=(at - order.planned_at).total_seconds(),
        )
        for order in ledger.live_orders(account)
    ]


def lock_lines(ledger: Ledger, account: str, at: datetime) -> list[LockLine]:
    return [LockLine(lock.strategy, lock.symbol, lock.reason, lock.until) for lock in ledger.locks(account, at)]


def conflict_lines(ledger: Ledger, account: str) -> list[str]:
    """Open differences between ledger and exchange, oldest first."""
    return [
        f"{row.kind} {row.subject}: ledger {_text(row.ledger_amount)}, exchange {_text(row.exchange_amount)} "
        f"({row.outcome} since {row.at:%H:%M})"
        for row in ledger.open_conflicts(account)
    ]


def _text(amount: Decimal | None) -> str:
    return "?" if amount is None else f"{amount:f}"


def breaker_lines(ledger: Ledger, account: str) -> list[str]:
    """Breakers that are not closed, with their reasons."""
    return [
        f"{'account' if row.scope == '*' else row.scope} {row.state} since {row.changed_at:%H:%M}: {row.reason}"
        for row in ledger.breakers(account)
        if row.state != "CLOSED"
    ]


def alerts(ledger: Ledger, account: str, at: datetime) -> list[str]:
    """Events of the last hour that a person should look at, newest first."""
    events = ledger.events(account, since=at - timedelta(hours=1), limit=100)
    return [
        " ".join(filter(None, [event.at.strftime("%H:%M:%S"), event.severity, event.kind, event.symbol, _what(event)]))
        for event in events
        if event.severity in ("error", "critical")
    ]


def _what(event: Event) -> str:
    """The sentence of an event that has one."""
    what = event.detail.get("what")
    return what if isinstance(what, str) else ""


def lost_ticks(ledger: Ledger, account: str, started_at: datetime, at: datetime) -> list[datetime]:
    """Bar closes since the stack's first decision (a day back at most) for which there is no decision."""
    since = max(started_at, at - _LOST_WINDOW)
    decided = {_minute(decision.as_of) for decision in ledger.decisions_between(account, since, at)}
    if not decided:
        return []
    last = _minute(at - _DECIDED_WITHIN)
    minute, lost = min(decided), []
    while minute <= last:
        if minute not in decided:
            lost.append(minute)
        minute += MINUTE
    return lost


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
