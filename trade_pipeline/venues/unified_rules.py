"""Reads ccxt's market structures into trading rules. One unreadable symbol is left out and keeps no other back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from trade_pipeline.errors import MalformedAnswer, SymbolUnknown
from trade_pipeline.schemas.trading import MarketRules
from trade_pipeline.venues.answers import Raw, malformed, mapping, number, positive, text
from trade_pipeline.venues.capabilities import VenueCapabilities

LOGGER = logging.getLogger(__name__)

TICK_SIZE = 4
"""ccxt's mode in which a precision is a step. In another one 8 would mean digits, or a price of 8."""
UNLIMITED = Decimal(10) ** 15
"""Where an exchange names no upper limit."""
_PLAIN = frozenset({"LIMIT", "LIMIT_MAKER"})


def read_unified_listing(
    markets: Mapping[str, Any], precision_mode: int, known: VenueCapabilities, standard_fees: Raw
) -> dict[str, MarketRules]:
    """Rules of every readable spot market, by symbol. `standard_fees` (maker, taker) stand where a market has none.

    Raises MalformedAnswer when there is none.
    """
    if precision_mode != TICK_SIZE:
        raise malformed("steps: this client counts digits", precision_mode)
    rules: dict[str, MarketRules] = {}
    last: MalformedAnswer | None = None
    for market in markets.values():
        if not isinstance(market, Mapping) or market.get("spot") is not True:
            continue
        symbol = str(market.get("symbol"))
        try:
            rules[symbol] = read_unified_rules(market, known, standard_fees)
        except MalformedAnswer as error:
            last = error
            LOGGER.warning("%s is not traded: %s", symbol, error)
    if not rules:
        raise last or malformed("markets", None)
    return rules


def read_unified_rules(market: Raw, known: VenueCapabilities, standard_fees: Raw) -> MarketRules:
    """Raises MalformedAnswer when a rule that orders depend on is missing: a guessed step would be refused."""
    symbol = text(market, "symbol")
    steps, limits = _part(market, "precision", symbol), _part(market, "limits", symbol)
    amounts, prices, costs = (_part(limits, name, symbol) for name in ("amount", "price", "cost"))
    tick, step = positive(steps, "price", symbol).normalize(), positive(steps, "amount", symbol).normalize()
    amount_max = _limit(amounts, "max", symbol, UNLIMITED)
    at_market = limits.get("market")
    fees = {name: standard_fees.get(name) if market.get(name) is None else market[name] for name in ("maker", "taker")}
    market_max = _limit(at_market, "max", symbol, amount_max) if isinstance(at_market, Mapping) else amount_max
    return MarketRules(
        symbol=symbol,
        base=text(market, "base", symbol),
        quote=text(market, "quote", symbol),
        # Not told is not active: an order there would be a guess.
        active=market.get("active") is True,
        price_tick=tick,
        price_min=_limit(prices, "min", symbol, tick),
        price_max=_limit(prices, "max", symbol, UNLIMITED),
        amount_step=step,
        amount_min=_limit(amounts, "min", symbol, step),
        amount_max=amount_max,
        market_amount_max=min(market_max or amount_max, amount_max),
        notional_min=_limit(costs, "min", symbol, Decimal(0)),
        order_types=_order_types(market, known),
        maker_fee_rate=number(fees, "maker", symbol),
        taker_fee_rate=number(fees, "taker", symbol),
    )


def rules_of(rules: Mapping[str, MarketRules], symbol: str) -> MarketRules:
    """Raises SymbolUnknown."""
    if symbol not in rules:
        raise SymbolUnknown("the exchange does not list this symbol", thing=symbol, repair="Names look like BTC/USDT")
    return rules[symbol]


def _order_types(market: Raw, known: VenueCapabilities) -> frozenset[str]:
    """What this product may send there by the table; Binance says it for each symbol as well."""
    offered = _PLAIN | known.stop_types | {"MARKET"}
    info = market.get("info")
    told = info.get("orderTypes") if isinstance(info, Mapping) else None
    if known.exchange == "binance" and isinstance(told, list):
        return offered & {str(name) for name in told}
    return offered


def _part(raw: Raw, name: str, symbol: str) -> Raw:
    return mapping(raw.get(name), name, symbol)


def _limit(raw: Raw, name: str, symbol: str, otherwise: Decimal) -> Decimal:
    """A limit, or `otherwise` where the exchange names none (null, or 0 for an upper one)."""
    if raw.get(name) is None:
        return otherwise
    value = number(raw, name, symbol)
    return value or otherwise if name == "max" else value
