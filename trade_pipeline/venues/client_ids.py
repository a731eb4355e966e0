"""How orders are created, found and cancelled by our own id through ccxt's unified API, as `capabilities` says.

Works for every exchange of the table. Answers stay ccxt's; what comes out of here has been matched to the id, and
an answer that nobody can match is a typed error, never another order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from trade_pipeline.errors import MalformedAnswer, OrderNotFound, OrderRefused
from trade_pipeline.schemas.trading import OrderRequest, OrderType, Side
from trade_pipeline.venues.capabilities import LookUp, VenueCapabilities
from trade_pipeline.venues.unified_history import open_orders, orders_of_span

_STOPS = {OrderType.STOP_LOSS: "market", OrderType.STOP_LOSS_LIMIT: "limit"}
_PLAIN = {OrderType.LIMIT: "limit", OrderType.LIMIT_MAKER: "limit", OrderType.MARKET: "market"}

_OURS = re.compile("[0-9a-f]{32}")
_CODE = re.compile(r'"(?:code|retCode|sCode)"\s*:\s*"?(-?\d+)')

Unified = Mapping[str, Any]

UNREADABLE = (TypeError, KeyError, ValueError, AttributeError, IndexError, ArithmeticError)
"""What ccxt's readers raise at a field that is missing or of another kind: an answer, but not a readable one."""


def create_arguments(capabilities: VenueCapabilities, request: OrderRequest) -> tuple[Any, ...]:
    """What create_order is called with: symbol, type, side, amount, price, params.

    Raises OrderRefused for what the exchange cannot do. A trigger that ccxt does not know would be dropped, and the
    order sent at once: so it is refused here.
    """
    kind = _PLAIN.get(request.type) or _stop_kind(capabilities, request)
    _check_prices(capabilities, request, kind)
    own = capabilities.client_id_parameter
    if request.type in _STOPS:
        own = capabilities.stop_client_id_parameter or own
    params: dict[str, Any] = {**capabilities.order_params, own: request.client_order_id}
    if request.type in _STOPS:
        params[str(capabilities.stop_parameter)] = f"{request.stop_price:f}"
    if request.type is OrderType.LIMIT_MAKER:
        params["postOnly"] = True
    if request.time_in_force is not None and request.type is not OrderType.LIMIT_MAKER and kind == "limit":
        params["timeInForce"] = request.time_in_force.value
    # Never a price with a market order: ccxt would read it as an amount of quote.
    price = None if kind == "market" or request.price is None else f"{request.price:f}"
    return request.symbol, kind, request.side.value, f"{request.amount:f}", price, params


def _check_prices(capabilities: VenueCapabilities, request: OrderRequest, kind: str) -> None:
    """A market order with a price would be read as an amount of quote; a limit order without one as anything."""
    if (request.price is None) == (kind == "limit"):
        problem = "takes no price" if kind == "market" else "needs a price"
        raise OrderRefused(f"a {request.type} order {problem}", thing=request.symbol, value=request.price)
    if request.stop_price is not None and request.type not in _STOPS:
        raise OrderRefused(f"a {request.type} order takes no trigger", thing=request.symbol, value=request.stop_price)
    if str(request.time_in_force) in capabilities.refused_times_in_force:
        raise OrderRefused(
            f"{capabilities.exchange} is not sent orders of this time in force",
            thing=request.symbol,
            value=str(request.time_in_force),
            repair="Send IOC",
        )
    if kind == "market" and request.side is Side.BUY and not capabilities.market_buys:
        raise OrderRefused(
            f"{capabilities.exchange} buys an amount of quote at the market, not one of base",
            thing=request.symbol,
            value=request.type.value,
            repair="Send a limit order that reaches into the book",
        )


def _stop_kind(capabilities: VenueCapabilities, request: OrderRequest) -> str:
    name = capabilities.exchange
    if request.type not in _STOPS:
        raise OrderRefused(f"{name} is not sent orders of this type", thing=request.symbol, value=request.type.value)
    if not capabilities.rests_stops or request.side is not Side.SELL:
        why = capabilities.stop_refused or "it would be sent at once"
        raise OrderRefused(
            f"{name} rests no such stop: {why}",
            thing=request.symbol,
            value=request.type.value,
            repair="Let the exit guard watch the price",
        )
    if request.type is OrderType.STOP_LOSS and not capabilities.plain_stop:
        raise OrderRefused(
            f"{name} has stops with a limit price only",
            thing=request.symbol,
            value=request.type.value,
            repair="Send STOP_LOSS_LIMIT",
        )
    if request.stop_price is None:
        raise OrderRefused("a stop needs a trigger", thing=request.symbol, value=None)
    return _STOPS[request.type]


def find(client: Any, capabilities: VenueCapabilities, symbol: str, client_order_id: str, since_ms: int) -> Unified:
    """The order with our id, as ccxt reads it. Raises OrderNotFound when no look-up knows it, MalformedAnswer when
    two orders have it, and whatever ccxt raises for anything but "not found": that is no proof of absence."""
    import ccxt

    for look_up in capabilities.look_ups:
        try:
            found = _ask(client, look_up, symbol, client_order_id, since_ms)
        except ccxt.OrderNotFound:
            continue
        except ccxt.ExchangeError as error:
            if not codes_in(str(error)) & capabilities.not_found_codes:
                raise
            continue
        except UNREADABLE as error:
            raise MalformedAnswer(
                f"an answer of {capabilities.exchange} cannot be read",
                thing=symbol,
                value=f"{type(error).__name__}: {error}",
                repair="Nothing was assumed; look it up again",
            ) from error
        matching = [order for order in found if same_id(order.get("clientOrderId"), client_order_id)]
        if len({str(order.get("id")) for order in matching}) > 1:
            raise MalformedAnswer(
                "two orders have the same client id",
                thing=symbol,
                value=[order.get("id") for order in matching],
                repair="Halt the symbol and decide by hand which one is ours",
            )
        if matching:
            return matching[-1]
        if found and look_up.parameter is not None and not look_up.is_list:
            raise MalformedAnswer(
                "the order in the answer has another client id",
                thing=symbol,
                value=found[0].get("clientOrderId"),
                repair="Nothing was assumed; look it up again",
            )
    raise OrderNotFound(f"{capabilities.exchange} knows no order with this id (yet)", thing=symbol)


def _ask(client: Any, look_up: LookUp, symbol: str, client_order_id: str, since_ms: int) -> list[Unified]:
    params: dict[str, Any] = {} if look_up.parameter is None else {look_up.parameter: client_order_id}
    if look_up.trigger:
        params["trigger"] = True
    method = getattr(client, look_up.method)
    if not look_up.is_list:
        return [method(None, symbol, params)]
    if look_up.parameter is None and look_up.method == "fetch_open_orders":
        return open_orders(client, client.id, symbol)
    if look_up.parameter is None:
        return list(orders_of_span(client, client.id, look_up.method, symbol, since_ms, client.milliseconds() + 1000))
    return list(method(symbol, None, None, params))


def cancel(client: Any, capabilities: VenueCapabilities, symbol: str, client_order_id: str, since_ms: int) -> None:
    """Ask for a plain order to be cancelled; where the exchange takes only its own id, look that up first.

    Says nothing of what became of it: the order has to be read again. Raises as `find` and ccxt do.
    """
    if capabilities.cancel_parameter is not None:
        client.cancel_order(None, symbol, {capabilities.cancel_parameter: client_order_id})
        return
    found = find(client, capabilities, symbol, client_order_id, since_ms)
    client.cancel_order(str(found["id"]), symbol)


def same_id(reported: object, ours: str) -> bool:
    """Whether an answer's id is ours: an exchange may write 32 hexadecimal characters as a UUID with dashes."""
    return isinstance(reported, str) and canonical_id(reported) == ours


def canonical_id(reported: str) -> str:
    """An id in our form, if it is one of that form with dashes; another one as it stands."""
    bare = reported.replace("-", "").lower()
    return bare if _OURS.fullmatch(bare) else reported


def codes_in(text: str) -> frozenset[str]:
    """The exchange's codes within the text of one of ccxt's errors: classes differ, codes do not."""
    return frozenset(_CODE.findall(text))
