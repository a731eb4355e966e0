"""The exchanges' own words for the state of an order, and what they mean here."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from trade_pipeline.schemas.trading import OrderState
from trade_pipeline.venues.answers import Raw, malformed, mapping, text

_OPEN, _ENDED = OrderState.OPEN, OrderState.CANCELED
_WORDS: Mapping[str, Mapping[str, OrderState]] = {
    "binance": {
        **dict.fromkeys(("NEW", "PENDING_NEW", "PARTIALLY_FILLED"), _OPEN),
        "FILLED": OrderState.FILLED,
        "CANCELED": _ENDED,
        "PENDING_CANCEL": OrderState.PENDING_CANCEL,
        "REJECTED": OrderState.REJECTED,
        **dict.fromkeys(("EXPIRED", "EXPIRED_IN_MATCH"), OrderState.EXPIRED),
    },
    "kraken": {
        **dict.fromkeys(("pending", "open"), _OPEN),
        "closed": OrderState.FILLED,
        "canceled": _ENDED,
        "expired": OrderState.EXPIRED,
    },
    "bybit": {
        **dict.fromkeys(("New", "PartiallyFilled", "Untriggered", "Triggered"), _OPEN),
        "Filled": OrderState.FILLED,
        **dict.fromkeys(("Cancelled", "PartiallyFilledCanceled", "Deactivated"), _ENDED),
        "Rejected": OrderState.REJECTED,
    },
    "okx": {
        **dict.fromkeys(("live", "partially_filled"), _OPEN),
        "filled": OrderState.FILLED,
        **dict.fromkeys(("canceled", "mmp_canceled"), _ENDED),
    },
    "coinbase": {
        **dict.fromkeys(("PENDING", "OPEN", "QUEUED", "EDIT_QUEUED"), _OPEN),
        "CANCEL_QUEUED": OrderState.PENDING_CANCEL,
        "FILLED": OrderState.FILLED,
        "CANCELLED": _ENDED,
        "EXPIRED": OrderState.EXPIRED,
        "FAILED": OrderState.REJECTED,
    },
    "mexc": {
        **dict.fromkeys(("NEW", "PARTIALLY_FILLED"), _OPEN),
        "FILLED": OrderState.FILLED,
        **dict.fromkeys(("CANCELED", "PARTIALLY_CANCELED"), _ENDED),
    },
}
"""The exchanges' own words. KuCoin has none: two flags."""
_WORD_FIELD = {"bybit": "orderStatus", "okx": "state"}


def word_of(fields: Raw, exchange: str, symbol: str) -> str:
    """The exchange's own word within an order as ccxt reads it. Raises MalformedAnswer."""
    info = mapping(fields.get("info"), "order", symbol)
    if exchange == "kucoin":
        return _kucoin_word(info, symbol)
    return text(info, _WORD_FIELD.get(exchange, "status"), symbol)


def _kucoin_word(info: Raw, symbol: str) -> str:
    flags = {}
    for name in ("isActive", "cancelExist"):
        flags[name] = info.get(name)
        if not isinstance(flags[name], bool):
            raise malformed(name, flags[name], symbol)
    if flags["isActive"]:
        return "active"
    return "done, cancelled" if flags["cancelExist"] else "done"


def state_of(word: str, exchange: str, amount: Decimal, filled: Decimal, symbol: str) -> OrderState:
    """Our state for the exchange's word, with the quantities as the judge of what an ending was (RELIABILITY 28)."""
    if exchange == "kucoin":
        state: OrderState | None = {"active": _OPEN, "done": OrderState.FILLED, "done, cancelled": _ENDED}[word]
    else:
        state = _WORDS[exchange].get(word)
    if state is None:
        raise malformed("status", word, symbol)
    if state is OrderState.FILLED and filled < amount:
        return OrderState.CANCELED
    if state is OrderState.OPEN and filled > 0:
        return OrderState.PARTIALLY_FILLED
    return state
