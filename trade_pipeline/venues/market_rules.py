"""Reads exchangeInfo: which symbols there are and what their orders must look like."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from trade_pipeline.errors import MalformedAnswer, SymbolUnknown
from trade_pipeline.schemas.trading import MarketRules
from trade_pipeline.venues.answers import Raw, listing, malformed, mapping, number, text, whole
from trade_pipeline.venues.capabilities import OrderLimit

LOGGER = logging.getLogger(__name__)

_UNITS_S = {"SECOND": 1.0, "MINUTE": 60.0, "HOUR": 3600.0, "DAY": 86_400.0}
_WINDOW_S_MAX = 60.0
FEE_RATE_DEFAULT = Decimal("0.001")
"""Binance's standard rate for both sides; the account's own rates replace it where a key is at hand."""


@dataclass(frozen=True)
class Listing:
    """The exchange's symbols, by our name and by its own."""

    rules: Mapping[str, MarketRules]
    ids: Mapping[str, str]
    """Our symbol -> the exchange's ("BTC/USDT" -> "BTCUSDT")."""
    symbols: Mapping[str, str]
    """The exchange's -> ours."""
    order_limit: OrderLimit | None = None
    """Orders of an account, as far as the exchange tells."""

    def id_of(self, symbol: str) -> str:
        """Raises SymbolUnknown."""
        if symbol not in self.ids:
            raise SymbolUnknown(
                "the exchange does not list this symbol", thing=symbol, repair="Names look like BTC/USDT"
            )
        return self.ids[symbol]

    def symbol_of(self, raw: object) -> str:
        """Our symbol of an answer's `symbol` field. Raises MalformedAnswer when nobody lists it."""
        name = text(mapping(raw, "answer"), "symbol")
        if name not in self.symbols:
            raise malformed("symbol", name)
        return self.symbols[name]

    def with_fees(self, maker: Decimal, taker: Decimal) -> Listing:
        rules = {
            symbol: replace(rule, maker_fee_rate=maker, taker_fee_rate=taker) for symbol, rule in self.rules.items()
        }
        return replace(self, rules=rules)


def read_listing(raw: object) -> Listing:
    """Every symbol of exchangeInfo that can be read.

    One unreadable symbol is left out with a warning: it must not keep the others from trading. Its name stays
    known, so that orders and trades on it can still be read. Raises MalformedAnswer when none can be read.
    """
    rows = listing(mapping(raw, "exchangeInfo").get("symbols"), "symbols")
    rules: dict[str, MarketRules] = {}
    ids: dict[str, str] = {}
    last: MalformedAnswer | None = None
    for row in rows:
        fields = mapping(row, "symbol")
        symbol = f"{text(fields, 'baseAsset')}/{text(fields, 'quoteAsset')}"
        ids[symbol] = text(fields, "symbol", symbol)
        try:
            rules[symbol] = read_rules(fields, symbol)
        except MalformedAnswer as error:
            last = error
            LOGGER.warning("%s is not traded: %s", symbol, error)
    if last is not None and not rules:
        raise last
    names = {name: symbol for symbol, name in ids.items()}
    return Listing(rules, ids, names, _order_limit(mapping(raw, "exchangeInfo").get("rateLimits")))


def _order_limit(rows: object) -> OrderLimit | None:
    """Of the shortest window, and no more than a longer one allows; None where nothing readable is said, which keeps
    nobody from trading."""
    found = []
    for row in rows if isinstance(rows, list) else []:
        try:
            fields = mapping(row, "rate limit")
            if fields.get("rateLimitType") == "ORDERS":
                window_s = _UNITS_S[text(fields, "interval")] * whole(fields.get("intervalNum"), "intervalNum")
                found.append(OrderLimit(whole(fields.get("limit"), "limit"), window_s))
        except (MalformedAnswer, KeyError):
            continue
    # A day's limit alone would let a day's orders leave at once.
    usable = [limit for limit in found if limit.orders > 0 and 0 < limit.window_s <= _WINDOW_S_MAX]
    if not usable:
        return None
    shortest_s = min(limit.window_s for limit in usable)
    return OrderLimit(min(limit.orders * shortest_s / limit.window_s for limit in usable), shortest_s)


def read_rules(fields: Raw, symbol: str) -> MarketRules:
    """One symbol's rules. Raises MalformedAnswer when a filter that orders depend on is missing."""
    rows = [mapping(row, "filter", symbol) for row in listing(fields.get("filters"), "filters", symbol)]
    filters = {text(row, "filterType", symbol): row for row in rows}
    price, lot = _filter(filters, "PRICE_FILTER", symbol), _filter(filters, "LOT_SIZE", symbol)
    amount_max = number(lot, "maxQty", symbol)
    market_max = number(filters["MARKET_LOT_SIZE"], "maxQty", symbol) if "MARKET_LOT_SIZE" in filters else Decimal(0)
    notional = filters.get("NOTIONAL") or _filter(filters, "MIN_NOTIONAL", symbol)
    order_types = frozenset(str(name) for name in listing(fields.get("orderTypes"), "orderTypes", symbol))
    return MarketRules(
        symbol=symbol,
        base=text(fields, "baseAsset", symbol),
        quote=text(fields, "quoteAsset", symbol),
        active=text(fields, "status", symbol) == "TRADING" and fields.get("isSpotTradingAllowed") is True,
        price_tick=_grid(number(price, "tickSize", symbol), fields, "quotePrecision", symbol),
        price_min=number(price, "minPrice", symbol),
        price_max=number(price, "maxPrice", symbol),
        amount_step=_grid(number(lot, "stepSize", symbol), fields, "baseAssetPrecision", symbol),
        amount_min=number(lot, "minQty", symbol),
        amount_max=amount_max,
        market_amount_max=min(market_max, amount_max) if market_max else amount_max,
        notional_min=number(notional, "minNotional", symbol),
        order_types=order_types,
        maker_fee_rate=FEE_RATE_DEFAULT,
        taker_fee_rate=FEE_RATE_DEFAULT,
    )


def _filter(filters: Mapping[str, Any], name: str, symbol: str) -> Raw:
    if name not in filters:
        raise malformed(f"filter {name}", sorted(filters), symbol)
    return mapping(filters[name], name, symbol)


def _grid(step: Decimal, fields: Raw, precision_field: str, symbol: str) -> Decimal:
    """The step in its shortest form. A step of 0 switches the rule off; the asset's digits then still hold."""
    if step > 0:
        return step.normalize()
    return Decimal(1).scaleb(-int(number(fields, precision_field, symbol)))
