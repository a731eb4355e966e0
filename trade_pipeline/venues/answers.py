"""Reads Binance's raw answers into values of `schemas.trading`.

The raw answers, because ccxt's unified ones drop what we need (trade counts, the cancelled order's own client id)
and guess what is missing. A field that is absent, null or unreadable is a MalformedAnswer that names the symbol,
the field and the value: a default would be an invention.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from trade_pipeline.errors import MalformedAnswer
from trade_pipeline.schemas.trading import (
    AccountReading,
    Balance,
    BookTop,
    OrderState,
    OrderType,
    Side,
    VenueOrder,
    VenueTrade,
)

TIME_MS_MAX = 10**14
"""In the year 5138: beyond it a time is nonsense."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_STATES = {
    "NEW": OrderState.OPEN,
    "PENDING_NEW": OrderState.OPEN,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "PENDING_CANCEL": OrderState.PENDING_CANCEL,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,4})?")
DIGITS_MAX = 40
"""Powers of ten beyond which a number is nonsense, and would break arithmetic later."""
WHOLE_DIGITS_MAX = 18
"""An integer fits in 64 bits."""

Raw = Mapping[str, Any]


def malformed(field: str, value: object, symbol: str = "") -> MalformedAnswer:
    return MalformedAnswer(
        f"the exchange's answer has no readable {field}",
        thing=symbol,
        value=value,
        repair="Nothing was assumed; look the thing up again",
    )


def mapping(raw: object, what: str, symbol: str = "") -> Raw:
    if not isinstance(raw, Mapping):
        raise malformed(what, raw if raw is None else str(raw)[:100], symbol)
    return raw


def listing(raw: object, what: str, symbol: str = "") -> Sequence[Any]:
    if not isinstance(raw, list):
        raise malformed(what, raw if raw is None else str(raw)[:100], symbol)
    return raw


def text(raw: Raw, field: str, symbol: str = "") -> str:
    value = raw.get(field)
    if value is None or isinstance(value, (dict, list, bool)) or str(value) == "":
        raise malformed(field, value, symbol)
    return str(value)


def number(raw: Raw, field: str, symbol: str = "") -> Decimal:
    """A finite decimal, exactly as written. Python would read " 1 ", "1_000" and digits of other scripts too."""
    value = raw.get(field)
    if not isinstance(value, (str, int, float)) or isinstance(value, bool) or not _NUMBER.fullmatch(str(value)):
        raise malformed(field, value, symbol)
    parsed = Decimal(str(value))
    if abs(parsed.adjusted()) > DIGITS_MAX:
        raise malformed(field, value, symbol)
    return parsed


def positive(raw: Raw, field: str, symbol: str = "") -> Decimal:
    """A finite decimal above 0: a fill of nothing, or for nothing, is no fill."""
    value = number(raw, field, symbol)
    if value <= 0:
        raise malformed(field, str(value), symbol)
    return value


def moment(raw: Raw, field: str, symbol: str = "") -> datetime:
    """A time from milliseconds since 1970."""
    value = whole(raw.get(field), field, symbol)
    if not 0 < value < TIME_MS_MAX:
        raise malformed(field, value, symbol)
    return _EPOCH + timedelta(milliseconds=value)


def whole(value: object, field: str, symbol: str = "") -> int:
    """An integer, whether ccxt's JSON reader left it a number or quoted it to keep its digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= WHOLE_DIGITS_MAX:
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 10**WHOLE_DIGITS_MAX:
        raise malformed(field, value if isinstance(value, bool) else str(value)[:100], symbol)
    return value


def flag(raw: Raw, field: str, symbol: str = "") -> bool:
    value = raw.get(field)
    if not isinstance(value, bool):
        raise malformed(field, value, symbol)
    return value


def milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _word(kind: type[Side] | type[OrderType], raw: Raw, field: str, symbol: str) -> Any:
    value = text(raw, field, symbol)
    try:
        return kind(value.lower() if kind is Side else value)
    except ValueError:
        raise malformed(field, value, symbol) from None


def _or_none(raw: Raw, field: str, symbol: str) -> Decimal | None:
    """Binance writes "0" for a price that an order does not have, or leaves the stop's field out."""
    if field not in raw:
        return None
    return number(raw, field, symbol) or None


def read_order(raw: object, symbol: str) -> VenueOrder:
    """An order from a query, a list, a creation (FULL) or a cancellation.

    A cancellation's `clientOrderId` is the cancel request's own: `origClientOrderId` is the order's.
    Raises MalformedAnswer, for a status that nobody knows as well.
    """
    fields = mapping(raw, "order", symbol)
    status = text(fields, "status", symbol)
    if status not in _STATES:
        raise malformed("status", status, symbol)
    own_id = "origClientOrderId" if fields.get("origClientOrderId") else "clientOrderId"
    created = "time" if "time" in fields else "transactTime"
    updated = "updateTime" if "updateTime" in fields else "transactTime"
    side: Side = _word(Side, fields, "side", symbol)
    order_id = text(fields, "orderId", symbol)
    return VenueOrder(
        order_id=order_id,
        client_order_id=text(fields, own_id, symbol),
        symbol=symbol,
        side=side,
        type=_word(OrderType, fields, "type", symbol),
        amount=number(fields, "origQty", symbol),
        filled=number(fields, "executedQty", symbol),
        quote_filled=number(fields, "cummulativeQuoteQty", symbol),
        state=_STATES[status],
        venue_status=status,
        price=_or_none(fields, "price", symbol),
        stop_price=_or_none(fields, "stopPrice", symbol),
        created_at=moment(fields, created, symbol),
        updated_at=moment(fields, updated, symbol),
        trades=_fills(fields, symbol, order_id, side),
    )


def _fills(fields: Raw, symbol: str, order_id: str, side: Side) -> tuple[VenueTrade, ...]:
    """Trades within a creation's answer: they have no time of their own and are always the taker's."""
    if "fills" not in fields:
        return ()
    at = moment(fields, "transactTime", symbol)
    rows = [mapping(row, "fill", symbol) for row in listing(fields["fills"], "fills", symbol)]
    fills = (
        VenueTrade(
            symbol=symbol,
            trade_id=text(row, "tradeId", symbol),
            order_id=order_id,
            side=side,
            price=positive(row, "price", symbol),
            amount=positive(row, "qty", symbol),
            fee=number(row, "commission", symbol),
            fee_asset=text(row, "commissionAsset", symbol),
            at=at,
            is_maker=False,
        )
        for row in rows
    )
    return tuple(distinct(fills))


def distinct(trades: Iterable[VenueTrade]) -> list[VenueTrade]:
    """Each trade once, in order. Raises MalformedAnswer where one id stands for two different trades."""
    found: dict[str, VenueTrade] = {}
    for trade in trades:
        if found.setdefault(trade.trade_id, trade) != trade:
            raise malformed("trade id: it stands for two different trades", trade.trade_id, trade.symbol)
    return list(found.values())


def read_trade(raw: object, symbol: str) -> VenueTrade:
    """A row of myTrades."""
    fields = mapping(raw, "trade", symbol)
    return VenueTrade(
        symbol=symbol,
        trade_id=text(fields, "id", symbol),
        order_id=text(fields, "orderId", symbol),
        side=Side.BUY if flag(fields, "isBuyer", symbol) else Side.SELL,
        price=positive(fields, "price", symbol),
        amount=positive(fields, "qty", symbol),
        fee=number(fields, "commission", symbol),
        fee_asset=text(fields, "commissionAsset", symbol),
        at=moment(fields, "time", symbol),
        is_maker=flag(fields, "isMaker", symbol),
    )


def read_account(raw: object, at: datetime) -> AccountReading:
    """Balances that are not zero. `at` is the exchange's clock at the reading: `updateTime` is the last change."""
    rows = listing(mapping(raw, "account").get("balances"), "balances")
    balances: dict[str, Balance] = {}
    for row in rows:
        fields = mapping(row, "balance")
        asset = text(fields, "asset")
        balance = Balance(asset, number(fields, "free", asset), number(fields, "locked", asset))
        if balance.free or balance.locked:
            balances[asset] = balance
    return AccountReading(balances=balances, at=at)


def read_fee_rates(raw: object) -> tuple[Decimal, Decimal]:
    """Maker's and taker's fee rate of the account."""
    rates = mapping(mapping(raw, "account").get("commissionRates"), "commissionRates")
    return number(rates, "maker"), number(rates, "taker")


def read_book_top(raw: object, symbol: str) -> BookTop:
    """A row of ticker/24hr: one request brings bid, ask, last price and the exchange's time."""
    fields = mapping(raw, "ticker", symbol)
    return BookTop(
        symbol=symbol,
        bid=number(fields, "bidPrice", symbol),
        bid_amount=number(fields, "bidQty", symbol),
        ask=number(fields, "askPrice", symbol),
        ask_amount=number(fields, "askQty", symbol),
        last=number(fields, "lastPrice", symbol),
        at=moment(fields, "closeTime", symbol),
    )


def read_server_time(raw: object) -> datetime:
    return moment(mapping(raw, "time"), "serverTime")
