"""Orders as Binance takes and reports them: parameters exactly as they are signed, an order's part of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from trade_pipeline.errors import OrderRefused
from trade_pipeline.schemas.trading import OrderRequest, OrderType

_PRICED = frozenset({OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT})
_TRIGGERED = frozenset(
    {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}
)
_TIMED = frozenset({OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT})


def the_order(raw: Any, params: Mapping[str, Any]) -> Any:
    """The order's own part of an answer: a replacement has two halves, the cancel of a list's leg reports both legs."""
    if not isinstance(raw, dict):
        return raw
    reports = raw.get("orderReports")
    if isinstance(reports, list):
        named = params.get("origClientOrderId")
        return next((row for row in reports if isinstance(row, dict) and row.get("origClientOrderId") == named), raw)
    return raw.get("newOrderResponse", raw)


def pair_params(above: OrderRequest, below: OrderRequest, name: str) -> dict[str, str]:
    """The parameters of POST /orderList/oco. Raises OrderRefused as `order_params` does."""
    params = {"symbol": name, "side": above.side.value.upper(), "quantity": plain(above.amount)}
    for place, request in (("above", above), ("below", below)):
        own = order_params(request, name)
        params[f"{place}Type"] = own["type"]
        params[f"{place}ClientOrderId"] = own["newClientOrderId"]
        for field in ("price", "stopPrice", "timeInForce"):
            if field in own:
                params[f"{place}{field[0].upper()}{field[1:]}"] = own[field]
    return params | {"newOrderRespType": "FULL"}


def order_params(request: OrderRequest, name: str) -> dict[str, str]:
    """The parameters of POST /order, exactly as they are signed.

    Raises OrderRefused where a price or trigger is missing or too much: a market order with a price would be read
    as an amount of quote.
    """
    params = {
        "symbol": name,
        "side": request.side.value.upper(),
        "type": request.type.value,
        "quantity": plain(request.amount),
        "newClientOrderId": request.client_order_id,
        "newOrderRespType": "FULL",
    }
    wanted = (("price", request.price, _PRICED), ("stopPrice", request.stop_price, _TRIGGERED))
    for field, value, types in wanted:
        if (value is None) == (request.type in types):
            problem = "needs a" if value is None else "takes no"
            raise OrderRefused(f"a {request.type} order {problem} {field}", thing=request.symbol, value=value)
        if value is not None:
            params[field] = plain(value)
    if request.type in _TIMED:
        params["timeInForce"] = request.time_in_force.value if request.time_in_force else "GTC"
    return params


def plain(value: Decimal) -> str:
    """A decimal without exponent and trailing zeros: the exchange counts digits (-1111)."""
    written = f"{value:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written
