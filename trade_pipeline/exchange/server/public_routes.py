"""Answers of the public endpoints: market data that anybody may read."""

from __future__ import annotations

import json
from collections.abc import Callable

from trade_pipeline.exchange.engine import rejections
from trade_pipeline.exchange.engine.book import Level
from trade_pipeline.exchange.engine.rejections import Rejected
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.market.bars import MINUTE_MS
from trade_pipeline.exchange.market.candles import INTERVALS
from trade_pipeline.exchange.market.day import Day
from trade_pipeline.exchange.server import answers
from trade_pipeline.exchange.server.answers import Json, scaled
from trade_pipeline.exchange.server.context import Call
from trade_pipeline.exchange.server.weights import rate_limits
from trade_pipeline.schemas.trading import Side

_TRADES_MINUTES_MAX = 120


def ping(call: Call) -> Json:
    return {}


def server_time(call: Call) -> Json:
    return {"serverTime": call.now_ms}


def no_pairs(call: Call) -> list[Json]:
    return []


def exchange_info(call: Call) -> Json:
    if call.params.text("symbol") is not None:
        specs = [call.spec()]
    elif (names := call.params.text("symbols")) is not None:
        specs = [call.listed(name) for name in _names(names)]
    else:
        specs = [call.world.market.specs[symbol] for symbol in call.world.market.listed(call.now_ms)]
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "rateLimits": rate_limits(call.context.weights.limit_per_minute),
        "exchangeFilters": [],
        "symbols": [answers.symbol_info(spec) for spec in specs],
        "sors": [],
    }


def klines(call: Call) -> list[list[object]]:
    spec, interval = call.spec(), call.params.needed("interval")
    if interval not in INTERVALS:
        raise Rejected(-1120, "Invalid interval.")
    start, end = call.params.integer("startTime"), call.params.integer("endTime")
    table = call.world.candles.candles(
        spec.symbol, interval, call.now_ms, start_ms=start, end_ms=end, limit=call.params.limit(500, 1000)
    )
    rows = answers.kline_rows(spec, table, INTERVALS[interval])
    return call.context.faults.on_klines(spec.id, rows, call.now_ms) if interval == "1m" else rows


def depth(call: Call) -> Json:
    spec = call.spec()
    limit = call.params.limit(100, 5000)
    step = call.step(spec)
    bids, asks = (_side(call, spec, side)[:limit] for side in (Side.SELL, Side.BUY))
    return {
        "lastUpdateId": step.at_ms,
        "bids": [[scaled(x.price, spec.price_decimals), scaled(x.amount, spec.amount_decimals)] for x in bids],
        "asks": [[scaled(x.price, spec.price_decimals), scaled(x.amount, spec.amount_decimals)] for x in asks],
    }


def trades(call: Call) -> list[Json]:
    """One public trade a step; its id is the minute and the step's number in it."""
    spec, limit = call.spec(), call.params.limit(500, 1000)
    rows: list[Json] = []
    minute = call.step(spec).at_ms // MINUTE_MS
    for back in range(_TRADES_MINUTES_MAX):
        steps = call.world.market.minute_steps(spec.symbol, minute - back)
        for index in range(len(steps) - 1, -1, -1):
            step = steps[index]
            if step.at_ms <= call.now_ms and step.volume:
                rows.append(
                    {
                        "id": (minute - back) * 100 + index,
                        "price": scaled(step.price, spec.price_decimals),
                        "qty": scaled(step.volume, spec.amount_decimals),
                        "quoteQty": scaled(step.price * step.volume, spec.price_decimals + spec.amount_decimals),
                        "time": step.at_ms,
                        "isBuyerMaker": step.buyer_is_maker,
                        "isBestMatch": True,
                    }
                )
        if len(rows) >= limit:
            break
    return rows[:limit][::-1]


def agg_trades(call: Call) -> list[Json]:
    return [
        {
            "a": row["id"], "p": row["price"], "q": row["qty"], "f": row["id"], "l": row["id"], "T": row["time"],
            "m": row["isBuyerMaker"], "M": True,
        }
        for row in trades(call)
    ]  # fmt: skip


def average_price(call: Call) -> Json:
    spec = call.spec()
    step = call.step(spec)
    return {"mins": 5, "price": scaled(step.average, spec.price_decimals), "closeTime": step.at_ms}


def ticker_price(call: Call) -> Json | list[Json]:
    return _one_or_many(call, _price)


def book_ticker(call: Call) -> Json | list[Json]:
    return _one_or_many(call, _book_top)


def ticker_24hr(call: Call) -> Json | list[Json]:
    specs = _asked(call)
    many = specs if isinstance(specs, list) else [specs]
    call.world.market.prepare([spec.symbol for spec in many], call.now_ms)
    days = call.world.days.of([spec.symbol for spec in many], call.now_ms)
    rows = [_day(call, spec, day) for spec, day in zip(many, days, strict=True)]
    return rows if isinstance(specs, list) else rows[0]


def _price(call: Call, spec: SymbolSpec) -> Json:
    return {"symbol": spec.id, "price": scaled(call.step(spec).price, spec.price_decimals)}


def _book_top(call: Call, spec: SymbolSpec) -> Json:
    call.step(spec)
    answer: Json = {"symbol": spec.id}
    for name, side in (("bid", Side.SELL), ("ask", Side.BUY)):
        side_levels = _side(call, spec, side)
        best = side_levels[0]
        answer[f"{name}Price"] = scaled(best.price, spec.price_decimals)
        answer[f"{name}Qty"] = scaled(best.amount, spec.amount_decimals)
    return answer


def _day(call: Call, spec: SymbolSpec, day: Day | None) -> Json:
    step = call.step(spec)
    if day is None:
        first, last = step.at_ms // MINUTE_MS, call.now_ms // MINUTE_MS
        day = Day.of_table(call.world.candles.minutes(spec.symbol, first, last, call.now_ms))
    if day is None:
        raise rejections.overloaded()
    seen_ms = call.world.market.seen_ms(spec.symbol, call.now_ms)
    return answers.day_ticker(spec, day, step, seen_ms, _book_top(call, spec))


def _side(call: Call, spec: SymbolSpec, side: Side) -> list[Level]:
    """What an order of this side could take now; the best price alone, without amount, where nothing is left."""
    matcher, cursor = call.world.engine.matcher, call.world.engine.state.cursors[spec.symbol]
    return matcher.side_of_book(spec, cursor, side) or [Level(matcher.best(cursor, side), 0)]


def _one_or_many(call: Call, make: Callable[[Call, SymbolSpec], Json]) -> Json | list[Json]:
    specs = _asked(call)
    if not isinstance(specs, list):
        return make(call, specs)
    call.world.market.prepare([spec.symbol for spec in specs], call.now_ms)
    return [make(call, spec) for spec in specs]


def _asked(call: Call) -> SymbolSpec | list[SymbolSpec]:
    """The symbol of a question for one, or those of a question for many: named, or all that are listed."""
    spec = call.optional_spec()
    if spec is not None:
        return spec
    names = call.params.text("symbols")
    if names is not None:
        return [call.listed(name) for name in _names(names)]
    market = call.world.market
    return [market.specs[symbol] for symbol in market.listed(call.now_ms)]


def _names(text: str) -> list[str]:
    try:
        names = json.loads(text)
    except ValueError as error:
        raise rejections.illegal("symbols", '^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$') from error
    if not isinstance(names, list):
        raise rejections.illegal("symbols", "a JSON list")
    return [str(name) for name in names]
