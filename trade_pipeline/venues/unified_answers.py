"""Reads ccxt's unified orders, trades, balances and tickers into values of `schemas.trading`.

What ccxt guesses is not believed: the state comes from the exchange's own word, and an ending is checked against the
quantities. A field that is absent, null or unreadable is a MalformedAnswer, as in `answers`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from trade_pipeline.schemas.trading import (
    AccountReading,
    Balance,
    BookTop,
    OrderRequest,
    OrderState,
    OrderType,
    Side,
    VenueOrder,
    VenueTrade,
)
from trade_pipeline.venues.answers import Raw, malformed, mapping, milliseconds, moment, number, positive, text, whole
from trade_pipeline.venues.client_ids import canonical_id
from trade_pipeline.venues.order_words import state_of, word_of

_PRICED = frozenset({OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT})
_STOPS = (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT)
_TAKE_PROFITS = (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)
_TRADE_DIGITS = 10**12


def read_unified_order(raw: object, exchange: str, request: OrderRequest | None = None) -> VenueOrder:
    """An order as ccxt reads it. `request` is what we sent, where it is known: what the exchange leaves out of it
    (a type, a trigger) is then ours.

    Raises MalformedAnswer, for a word that nobody knows as well.
    """
    fields = mapping(raw, "order")
    symbol = text(fields, "symbol")
    amount, filled = positive(fields, "amount", symbol), number(fields, "filled", symbol)
    if not 0 <= filled <= amount:
        raise malformed("filled amount: it is not within the order's", str(filled), symbol)
    word = word_of(fields, exchange, symbol)
    created, kind = moment(fields, "timestamp", symbol), _type(fields, symbol, request)
    return VenueOrder(
        order_id=text(fields, "id", symbol),
        client_order_id=_client_id(fields),
        symbol=symbol,
        side=_side(fields, symbol),
        type=kind,
        amount=amount,
        filled=filled,
        quote_filled=_quote_filled(fields, filled, symbol),
        state=state_of(word, exchange, amount, filled, symbol),
        venue_status=word,
        # ccxt writes the average price of the fills where an order has none.
        price=_above_zero(fields, "price", symbol) if kind in _PRICED else None,
        stop_price=_trigger(fields, symbol) or (request.stop_price if request else None),
        created_at=created,
        updated_at=_updated(fields, created, symbol),
    )


def acknowledged_order(request: OrderRequest, order_id: str, at: datetime) -> VenueOrder:
    """An order of which the exchange has told no more than that it has taken it."""
    return VenueOrder(
        order_id=order_id,
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        amount=request.amount,
        filled=Decimal(0),
        quote_filled=Decimal(0),
        state=OrderState.OPEN,
        venue_status="accepted",
        price=request.price,
        stop_price=request.stop_price,
        created_at=at,
        updated_at=at,
    )


def _client_id(fields: Raw) -> str:
    """Ours in our own form. An order that somebody placed by hand has none."""
    value = fields.get("clientOrderId")
    return canonical_id(value) if isinstance(value, str) else ""


def _side(fields: Raw, symbol: str) -> Side:
    word = text(fields, "side", symbol)
    if word not in ("buy", "sell"):
        raise malformed("side", word, symbol)
    return Side(word)


def _type(fields: Raw, symbol: str, request: OrderRequest | None) -> OrderType:
    if request is not None:
        return request.type
    word = text(fields, "type", symbol)
    at_market = "market" in word or word.replace("-", "_") in ("stop_loss", "take_profit")
    if _trigger(fields, symbol) is not None:
        kinds = _TAKE_PROFITS if "take" in word else _STOPS
        return kinds[0] if at_market else kinds[1]
    if at_market:
        return OrderType.MARKET
    if "limit" not in word and word not in ("post_only", "ioc", "fok"):
        raise malformed("type", word, symbol)
    return OrderType.LIMIT_MAKER if fields.get("postOnly") is True else OrderType.LIMIT


def _trigger(fields: Raw, symbol: str) -> Decimal | None:
    found = (_above_zero(fields, name, symbol) for name in ("triggerPrice", "stopLossPrice"))
    return next((value for value in found if value is not None), None)


def _above_zero(fields: Raw, name: str, symbol: str) -> Decimal | None:
    """Exchanges leave a price that an order does not have out, or write 0."""
    if fields.get(name) is None:
        return None
    value = number(fields, name, symbol)
    if value < 0:
        raise malformed(name, str(value), symbol)
    return value or None


def _quote_filled(fields: Raw, filled: Decimal, symbol: str) -> Decimal:
    if filled == 0:
        return Decimal(0)
    if fields.get("cost") is not None:
        return positive(fields, "cost", symbol)
    return positive(fields, "average", symbol) * filled


def _updated(fields: Raw, created: datetime, symbol: str) -> datetime:
    for name in ("lastUpdateTimestamp", "lastTradeTimestamp"):
        if fields.get(name) is not None:
            return max(moment(fields, name, symbol), created)
    return created


def read_unified_trade(raw: object, exchange: str) -> VenueTrade:
    """A trade of ours. Its id is Binance's own number, elsewhere `trade_number` of time and id."""
    fields = mapping(raw, "trade")
    symbol = text(fields, "symbol")
    own, at = text(fields, "id", symbol), moment(fields, "timestamp", symbol)
    role = text(fields, "takerOrMaker", symbol)
    if role not in ("maker", "taker"):
        raise malformed("maker or taker", role, symbol)
    fee = mapping(fields.get("fee"), "fee", symbol)
    cost = number(fee, "cost", symbol)
    return VenueTrade(
        symbol=symbol,
        trade_id=str(whole(own, "trade id", symbol)) if exchange == "binance" else trade_number(own, at),
        order_id=text(fields, "order", symbol),
        side=_side(fields, symbol),
        price=positive(fields, "price", symbol),
        amount=positive(fields, "amount", symbol),
        fee=cost,
        fee_asset=_fee_asset(fields, fee, symbol),
        at=at,
        is_maker=role == "maker",
    )


def _fee_asset(fields: Raw, fee: Raw, symbol: str) -> str:
    """The exchange's own word where it has one: on Bybit ccxt goes by the side instead."""
    info = fields.get("info")
    told = info.get("feeCurrency") if isinstance(info, Mapping) else None
    return told if isinstance(told, str) and told else text(fee, "currency", symbol)


def trade_number(exchange_id: str, at: datetime) -> str:
    """A trade's id as a number that grows with time: 13 digits of milliseconds, then 12 of a hash of the id.

    The ledger asks for "trades from this id on". Most exchanges name trades by letters and answer by time only, so
    the time is part of the name. The same trade always gets the same number.
    """
    digest = hashlib.blake2b(exchange_id.encode(), digest_size=8).digest()
    return str(milliseconds(at) * _TRADE_DIGITS + int.from_bytes(digest, "big") % _TRADE_DIGITS)


def time_of_trade_number_ms(number_: str) -> int:
    """The time within a `trade_number`; 0 for "0", from the beginning. Raises MalformedAnswer."""
    if not number_.isascii() or not number_.isdigit():
        raise malformed("trade id", number_)
    return int(number_) // _TRADE_DIGITS


def read_unified_account(raw: object, at: datetime) -> AccountReading:
    """Balances that are not zero. Raises MalformedAnswer: also where the parts do not add up, or something is owed."""
    fields = mapping(raw, "account")
    totals = mapping(fields.get("total"), "balances")
    info = fields.get("info")
    if isinstance(info, Mapping) and info.get("has_next") is True:
        raise malformed("list of balances: it goes on, and what is left out would seem gone", len(totals))
    balances: dict[str, Balance] = {}
    for asset in totals:
        if not isinstance(asset, str) or not asset:
            raise malformed("asset", asset)
        row = mapping(fields.get(asset), "balance", asset)
        total, free = number(row, "total", asset), number(row, "free", asset)
        locked = number(row, "used", asset)
        if free + locked != total:
            raise malformed("balance: free and locked do not add up to the total", str(total), asset)
        if row.get("debt") is not None and number(row, "debt", asset) != 0:
            raise malformed("balance: something is owed, so this is no spot account", str(row["debt"]), asset)
        if total or free:
            balances[asset] = Balance(asset, free, locked)
    return AccountReading(balances=balances, at=at)


def read_unified_top(raw: object, otherwise_at: datetime) -> BookTop:
    """Best prices. `otherwise_at` stands where the exchange's answer has no time."""
    fields = mapping(raw, "ticker")
    symbol = text(fields, "symbol")
    bid, ask = positive(fields, "bid", symbol), positive(fields, "ask", symbol)
    return BookTop(
        symbol=symbol,
        bid=bid,
        bid_amount=_size(fields, "bidVolume", symbol),
        ask=ask,
        ask_amount=_size(fields, "askVolume", symbol),
        last=positive(fields, "last", symbol),
        at=moment(fields, "timestamp", symbol) if fields.get("timestamp") is not None else otherwise_at,
    )


def _size(fields: Raw, name: str, symbol: str) -> Decimal:
    """How much stands at the best price; 0 where the exchange does not say: nothing is promised then."""
    return Decimal(0) if fields.get(name) is None else number(fields, name, symbol)
