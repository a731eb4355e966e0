"""Reads what the verdict needs: the ledger, the exchange as a client sees it, and the exchange's own memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from trade_pipeline.execution.rounding import is_dust
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Order
from trade_pipeline.runtime.chaos.subject import Subject
from trade_pipeline.runtime.chaos.verdict import Evidence
from trade_pipeline.runtime.remaining import venue_of
from trade_pipeline.schemas.trading import PROTECTIVE, BookTop, MarketRules, OrderType, Position, Side
from trade_pipeline.venues.protocols import TradingVenue

ORDERS_MAX = 100_000
_STOPS = (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT)
_FAR = datetime(9999, 1, 1, tzinfo=UTC)


def read_evidence(subject: Subject, began_at: datetime, quiet_at: datetime) -> Evidence:
    """One reading. Raises VenueError, LedgerError, OSError while something is away."""
    account, prefix = subject.settings.account, subject.settings.execution.installation_prefix
    with (
        closing(Ledger(subject.secrets.ledger_url)) as ledger,
        closing(venue_of(subject.home, subject.settings)) as venue,
    ):
        orders = tuple(ledger.orders(account, limit=ORDERS_MAX))
        recent = [order for order in orders if order.updated_at >= began_at or order.planned_at >= began_at]
        positions = ledger.positions(account)
        symbols = sorted({order.symbol for order in recent} | {position.symbol for position in positions})
        open_ids = {order.client_order_id for order in venue.open_orders()}
        memory = subject.exchange("GET", "/sim/state")
        return Evidence(
            ledger_balances=_without_zeros(ledger.expected_balances(account)),
            exchange_balances=_totals(memory),
            ledger_open=frozenset(order.client_order_id for order in ledger.live_orders(account)),
            exchange_open=frozenset(open_ids),
            ledger_fills=len(ledger.fills(account)),
            exchange_trades=int(memory["trades"]),
            exchange_sent=_sent(venue, symbols, began_at, prefix),
            orders=orders,
            intents={i.intent_id: i for order in recent if (i := ledger.intent(order.intent_id)) is not None},
            unprotected=unprotected(
                positions, orders, open_ids, venue.markets(), venue.book_tops(symbols) if symbols else {}
            ),
            not_proven=tuple(str(finding) for finding in ledger.verify().findings),
            executed_since_quiet=_executed(ledger, account, quiet_at),
        )


def unprotected(
    positions: Collection[Position],
    orders: Collection[Order],
    open_ids: Collection[str],
    rules: Mapping[str, MarketRules],
    tops: Mapping[str, BookTop],
) -> tuple[str, ...]:
    """Symbols above the exchange's minimum for which no stop of ours rests on it: a take-profit alone, whose role is
    a protective one too, leaves the way down open."""
    resting = {order.symbol for order in orders if _is_stop(order) and order.client_order_id in open_ids}
    return tuple(
        position.symbol
        for position in positions
        if position.symbol not in resting
        and not is_dust(position.amount, tops[position.symbol].bid, rules[position.symbol])
    )


def _is_stop(order: Order) -> bool:
    return order.role in PROTECTIVE and order.request.side is Side.SELL and order.request.type in _STOPS


def _sent(venue: TradingVenue, symbols: Collection[str], since: datetime, prefix: str) -> tuple[str, ...]:
    found = [order.client_order_id for symbol in symbols for order in venue.orders(symbol, since)]
    return tuple(item for item in found if item.startswith(prefix))


def _totals(memory: Mapping[str, Any]) -> dict[str, Decimal]:
    totals = {name: Decimal(item["free"]) + Decimal(item["locked"]) for name, item in memory["balances"].items()}
    return _without_zeros(totals)


def _without_zeros(amounts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {asset: amount for asset, amount in amounts.items() if amount}


def _executed(ledger: Ledger, account: str, since: datetime) -> bool:
    decisions = ledger.decisions_between(account, since, _FAR)
    return any(outcome.stage == "execute" for item in decisions for outcome in ledger.outcomes(item.decision_id))
