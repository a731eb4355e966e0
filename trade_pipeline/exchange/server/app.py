"""The ASGI application: faults, weights, signature, answer, save; in this order, for every request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from trade_pipeline.exchange.engine.rejections import Rejected
from trade_pipeline.exchange.faults import Fault
from trade_pipeline.exchange.server import auth, sim_routes
from trade_pipeline.exchange.server.context import Call, Context
from trade_pipeline.exchange.server.endpoints import ENDPOINTS, Endpoint
from trade_pipeline.exchange.server.params import Params
from trade_pipeline.exchange.server.weights import LimitReached

PLAY_INTERVAL_S = 0.25
"""How often the path is played against resting orders while nobody asks."""


def make_app(context: Context) -> Starlette:
    """One application around one exchange. Nothing runs before its lifespan begins."""

    async def answer(request: Request) -> Response:
        return await _answer(context, request)

    async def simulation(request: Request) -> Response:
        return await _simulation(context, request)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        playing = [asyncio.create_task(work) for work in (_play(context), *(job() for job in context.background))]
        try:
            yield
        finally:
            for task in playing:
                task.cancel()
            await asyncio.gather(*playing, return_exceptions=True)
            context.world.save()

    methods = ["GET", "POST", "PUT", "DELETE"]
    routes = [
        Route("/api/v3/{rest:path}", answer, methods=methods),
        Route("/sapi/v1/{rest:path}", answer, methods=["GET"]),
        Route("/sim/{rest:path}", simulation, methods=methods),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _play(context: Context) -> None:
    while True:
        try:
            context.world.advance_all(context.world.clock_ms())
        # Whatever it is, it must be seen, and the stops of other symbols must go on being played.
        except Exception:
            logging.getLogger(__name__).exception("playing the market failed")
        await asyncio.sleep(PLAY_INTERVAL_S)


async def _answer(context: Context, request: Request) -> Response:
    query = request.url.query
    body = (await request.body()).decode("utf-8", "replace")
    headers: dict[str, str] = {}
    try:
        values = auth.merged(query, body)
        fault = context.faults.http(request.method, request.url.path, values.get("symbol"))
        if fault is not None and fault.kind != "timeout":
            return await _strike(fault)
        if context.follow is not None:
            await context.follow(request.method, request.url.path, values)
        response = _effect(context, request, values, query, body, headers)
        if fault is not None:
            await asyncio.sleep(fault.delay_s)
            return _error(-1007, "Timeout waiting for response from backend server. Send status unknown; "
                          "execution status unknown.", 504, headers)  # fmt: skip
        return response
    except Rejected as refusal:
        return _refused(refusal, headers)


def _effect(
    context: Context, request: Request, values: dict[str, str], query: str, body: str, headers: dict[str, str]
) -> Response:
    """Everything between receiving and answering; synchronous, so that requests never interleave."""
    endpoint = ENDPOINTS.get((request.method, request.url.path.rstrip("/")))
    if endpoint is None:
        return _error(-1000, f"No endpoint {request.method} {request.url.path}", 404, headers)
    now_ms = context.world.clock_ms()
    address = request.client.host if request.client else ""
    used = context.weights.charge(address, endpoint.cost(values), now_ms)
    headers["X-MBX-USED-WEIGHT"] = headers["X-MBX-USED-WEIGHT-1M"] = str(used)
    try:
        if endpoint.signed:
            _authenticate(context, request, values, query, body, now_ms)
        return _call(context, endpoint, values, now_ms, headers)
    except Rejected as refusal:
        return _refused(refusal, headers)
    finally:
        context.world.save()


def _call(
    context: Context, endpoint: Endpoint, values: dict[str, str], now_ms: int, headers: dict[str, str]
) -> Response:
    answer = endpoint.answer(Call(context, Params(values), now_ms, headers))
    # Nobody is told of a change that is not on disk.
    context.world.save()
    return JSONResponse(answer, headers=headers)


def _authenticate(
    context: Context, request: Request, values: dict[str, str], query: str, body: str, now_ms: int
) -> None:
    context.credentials.check_key(request.headers.get("x-mbx-apikey"))
    params = Params(values)
    timestamp, window = params.integer("timestamp"), params.integer("recvWindow")
    context.credentials.check_signature(query, body)
    auth.check_timestamp(timestamp, window, now_ms)


async def _strike(fault: Fault) -> Response:
    """An answer without any effect."""
    if fault.kind == "http_500":
        return _error(-1000, "An unknown error occurred while processing the request.", 500, {})
    if fault.kind == "http_429":
        text = "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."
        return _error(-1003, text, 429, {"Retry-After": "1"})
    await asyncio.sleep(fault.delay_s)
    return _error(-1001, "Internal error; unable to process your request. Please try again.", 503, {})


async def _simulation(context: Context, request: Request) -> Response:
    if not context.credentials.check_token(request.headers.get("x-sim-token")):
        return _error(-2015, "The header X-SIM-TOKEN must carry the exchange's secret.", 401, {})
    now_ms = context.world.clock_ms()
    asked = (request.method, request.url.path.rstrip("/"))
    body, query = await request.body(), dict(request.query_params)
    actions: dict[tuple[str, str], Callable[[], object]] = {
        ("POST", "/sim/faults"): lambda: sim_routes.add_fault(context, json.loads(body), now_ms),
        ("DELETE", "/sim/faults"): lambda: sim_routes.clear_faults(context),
        ("GET", "/sim/state"): lambda: sim_routes.state(context, now_ms),
        ("GET", "/sim/mapping"): lambda: sim_routes.mapping(context, query),
    }
    if asked not in actions:
        return _error(-1000, f"No endpoint {asked[0]} {asked[1]}", 404, {})
    try:
        return JSONResponse(actions[asked]())
    except ValueError as error:
        return _error(-1130, str(error), 400, {})


def _refused(refusal: Rejected, headers: dict[str, str]) -> Response:
    if isinstance(refusal, LimitReached):
        headers["Retry-After"] = str(refusal.retry_after_s)
    return _error(refusal.code, refusal.text, refusal.status, headers, refusal.data)


def _error(
    code: int, text: str, status: int, headers: dict[str, str], data: dict[str, object] | None = None
) -> Response:
    content: dict[str, object] = {"code": code, "msg": text}
    if data is not None:
        content["data"] = data
    return JSONResponse(content, status_code=status, headers=headers)
