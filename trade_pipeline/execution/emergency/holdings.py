"""What of the account's coins is ours, from positions.json and the exchange alone: no ledger.

The record says what was ours at a trade; our own trades since then change it. Coins that were there before,
deposits and other people's orders are none of ours (TRADING rule 7).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from trade_pipeline.errors import MalformedAnswer
from trade_pipeline.execution.control import Recorded, RecordedPositions
from trade_pipeline.execution.ids import is_ours
from trade_pipeline.schemas.trading import AccountReading, MarketRules, Side, VenueTrade
from trade_pipeline.venues.protocols import TradingVenue

BEGINNING = datetime(2017, 1, 1, tzinfo=UTC)
"""Before any order of ours: where the search starts when there is no record."""
ORDERS_BEFORE = timedelta(minutes=2)
"""Orders are looked for from this long before the record: one may have been made while it was written."""
TRADES_PER_PAGE = 1000
TRADE_PAGES_MAX = 100


def symbols_to_look_at(
    record: RecordedPositions | None, account: AccountReading, markets: dict[str, MarketRules], quote: str
) -> list[str]:
    """Recorded symbols and those whose base is in the account: a position may be newer than the record."""
    recorded = set(record.positions) if record else set()
    held = {symbol for symbol, rules in markets.items() if rules.quote == quote and account.total(rules.base) > 0}
    return sorted((recorded & set(markets)) | held)


def managed_amount(
    venue: TradingVenue, symbol: str, rules: MarketRules, record: RecordedPositions | None, prefix: str
) -> Decimal:
    """Base amount that is ours now, never below 0: the recorded amount and our own trades since.

    Where no dated record helps, all of our trades count, from the first order with our prefix on. Raises VenueError.
    """
    known = record.positions.get(symbol) if record else None
    known = known if known and known.dated else None
    since = record.at if record and record.at else BEGINNING
    if record and symbol in record.positions and known is None:
        since = BEGINNING
    trades = [trade for trade in _trades_since(venue, symbol, known) if known is not None or trade.at > since]
    amount = known.amount if known else Decimal(0)
    if not trades:
        return max(amount, Decimal(0))
    orders = venue.orders(symbol, max(since - ORDERS_BEFORE, BEGINNING))
    ours = {order.order_id for order in orders if is_ours(order.client_order_id, prefix)}
    ours |= known.live_order_ids if known else frozenset()
    for trade in trades:
        if trade.order_id in ours:
            amount += change_of(trade, rules.base)
    return max(amount, Decimal(0))


def change_of(trade: VenueTrade, base: str) -> Decimal:
    """By how much a trade changes the base amount, a fee in base included."""
    fee = trade.fee if trade.fee_asset == base else Decimal(0)
    return (trade.amount if trade.side is Side.BUY else -trade.amount) - fee


def _trades_since(venue: TradingVenue, symbol: str, known: Recorded | None) -> list[VenueTrade]:
    """Every trade after the record's last one; from the first on where there is no such trade."""
    start = 0 if known is None or known.last_trade_id is None else int(known.last_trade_id) + 1
    found: list[VenueTrade] = []
    for _ in range(TRADE_PAGES_MAX):
        page = venue.trades(symbol, str(start), TRADES_PER_PAGE)
        found.extend(page)
        if len(page) < TRADES_PER_PAGE:
            return found
        start = max(int(trade.trade_id) for trade in page) + 1
    raise MalformedAnswer("the list of trades does not end", thing=symbol, value=len(found))
