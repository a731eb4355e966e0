"""The exchange's values as the JSON that Binance answers with: field names, their order, eight decimals."""

from __future__ import annotations

from decimal import Decimal

from trade_pipeline.exchange.engine import filters
from trade_pipeline.exchange.engine.orders import ALGO_TYPES, Order, OrderList, Step, Trade
from trade_pipeline.exchange.engine.state import State
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.market.bars import MINUTE_MS
from trade_pipeline.exchange.market.day import Day
from trade_pipeline.exchange.market.noise import Ints

Json = dict[str, object]

ORDER_TYPES = (
    "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
)  # fmt: skip


def dec(value: Decimal) -> str:
    return f"{value:.8f}"


def scaled(value: int, decimals: int) -> str:
    """An integer of 10^-decimals units as a number with eight decimals."""
    digits = str(value * 10 ** (8 - decimals)).zfill(9)
    return f"{digits[:-8]}.{digits[-8:]}"


def kline_rows(spec: SymbolSpec, table: Ints, length_minutes: int) -> list[list[object]]:
    """Open time, four prices, volume, close time, quote volume, trades, taker buys in base and quote, unused."""
    price, lot = 10 ** (8 - spec.price_decimals), 10 ** (8 - spec.amount_decimals)
    both = 10 ** (8 - spec.price_decimals - spec.amount_decimals)
    rows: list[list[object]] = []
    for minute, o, h, low, c, volume, quote, trades, buys, buy_quote in table.tolist():
        start = minute * MINUTE_MS
        rows.append(
            [
                start, _eight(o * price), _eight(h * price), _eight(low * price), _eight(c * price),
                _eight(volume * lot), start + length_minutes * MINUTE_MS - 1, _eight(quote * both), trades,
                _eight(buys * lot), _eight(buy_quote * both), "0",
            ]
        )  # fmt: skip
    return rows


def _eight(value: int) -> str:
    digits = str(value)
    if len(digits) < 9:
        digits = digits.zfill(9)
    return digits[:-8] + "." + digits[-8:]


def symbol_info(spec: SymbolSpec) -> Json:
    return {
        "symbol": spec.id,
        "status": "TRADING",
        "baseAsset": spec.base,
        "baseAssetPrecision": 8,
        "quoteAsset": spec.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(spec.order_types or ORDER_TYPES),
        "icebergAllowed": False,
        "ocoAllowed": True,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters.describe(spec),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def order_info(order: Order) -> Json:
    """What GET order, openOrders and allOrders answer."""
    return {
        "symbol": _id(order.symbol),
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        **_amounts(order),
        "stopPrice": dec(order.stop_price),
        "icebergQty": "0.00000000",
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.is_working,
        "workingTime": order.working_ms,
        "origQuoteOrderQty": dec(order.quote_amount),
        "selfTradePreventionMode": "NONE",
    }


def new_order(order: Order, trades: list[Trade], now_ms: int, kind: str) -> Json:
    """The answer to a new order: ACK, RESULT or FULL."""
    answer: Json = {
        "symbol": _id(order.symbol),
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        "transactTime": now_ms,
    }
    if kind == "ACK":
        return answer
    answer |= {**_amounts(order), "origQuoteOrderQty": dec(order.quote_amount)}
    if order.type in ALGO_TYPES:
        answer["stopPrice"] = dec(order.stop_price)
    if order.is_working:
        answer["workingTime"] = order.working_ms
    answer["selfTradePreventionMode"] = "NONE"
    if kind == "FULL":
        answer["fills"] = [
            {
                "price": dec(trade.price),
                "qty": dec(trade.amount),
                "commission": dec(trade.fee),
                "commissionAsset": trade.fee_asset,
                "tradeId": trade.id,
            }
            for trade in trades
        ]
    return answer


def canceled_order(order: Order, now_ms: int, cancel_id: str) -> Json:
    answer: Json = {
        "symbol": _id(order.symbol),
        "origClientOrderId": order.client_order_id,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": cancel_id,
        "transactTime": now_ms,
        **_amounts(order),
        "origQuoteOrderQty": dec(order.quote_amount),
    }
    if order.type in ALGO_TYPES:
        answer["stopPrice"] = dec(order.stop_price)
    answer["selfTradePreventionMode"] = "NONE"
    return answer


def trade_info(trade: Trade) -> Json:
    return {
        "symbol": _id(trade.symbol),
        "id": trade.id,
        "orderId": trade.order_id,
        "orderListId": trade.list_id,
        "price": dec(trade.price),
        "qty": dec(trade.amount),
        "quoteQty": dec(trade.quote),
        "commission": dec(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.at_ms,
        "isBuyer": trade.side.value == "buy",
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def order_list_info(state: State, order_list: OrderList, now_ms: int, reports: list[Json] | None = None) -> Json:
    """An OCO; with `reports` as the answer to placing or cancelling it."""
    executing = order_list.status == "EXECUTING"
    answer: Json = {
        "orderListId": order_list.id,
        "contingencyType": "OCO",
        "listStatusType": "EXEC_STARTED" if executing else "ALL_DONE",
        "listOrderStatus": order_list.status,
        "listClientOrderId": order_list.client_list_id,
        "transactionTime": now_ms if reports is not None else order_list.updated_ms,
        "symbol": _id(order_list.symbol),
        "orders": [
            {
                "symbol": _id(order_list.symbol),
                "orderId": order_id,
                "clientOrderId": state.orders[order_id].client_order_id,
            }
            for order_id in order_list.order_ids
        ],
    }
    if reports is not None:
        answer["orderReports"] = reports
    return answer


def day_ticker(spec: SymbolSpec, day: Day, step: Step, now_ms: int, book: Json) -> Json:
    """The last 24 hours and the newest step as ticker/24hr; the previous close is the first candle's open."""
    first_open, last, volume = day.open, step.price, day.volume
    decimals = spec.price_decimals
    change = Decimal(last - first_open)
    return {
        "symbol": spec.id,
        "priceChange": dec(change.scaleb(-decimals)),
        "priceChangePercent": f"{change * 100 / first_open:.3f}",
        "weightedAvgPrice": dec((Decimal(day.quote) / volume).scaleb(-decimals) if volume else spec.price(last)),
        "prevClosePrice": scaled(first_open, decimals),
        "lastPrice": scaled(last, decimals),
        "lastQty": scaled(step.volume, spec.amount_decimals),
        "bidPrice": book["bidPrice"],
        "bidQty": book["bidQty"],
        "askPrice": book["askPrice"],
        "askQty": book["askQty"],
        "openPrice": scaled(first_open, decimals),
        "highPrice": scaled(day.high, decimals),
        "lowPrice": scaled(day.low, decimals),
        "volume": scaled(volume, spec.amount_decimals),
        "quoteVolume": scaled(day.quote, decimals + spec.amount_decimals),
        "openTime": day.first_minute * MINUTE_MS,
        "closeTime": now_ms,
        "firstId": day.first_minute * 100,
        "lastId": day.last_minute * 100,
        "count": day.trades,
    }


def _amounts(order: Order) -> Json:
    return {
        "price": dec(order.price),
        "origQty": dec(order.amount),
        "executedQty": dec(order.filled),
        "cummulativeQuoteQty": dec(order.quote_filled),
        "status": order.status,
        "timeInForce": order.time_in_force.value,
        "type": order.type.value,
        "side": order.side.value.upper(),
    }


def _id(symbol: str) -> str:
    return symbol.replace("/", "")
