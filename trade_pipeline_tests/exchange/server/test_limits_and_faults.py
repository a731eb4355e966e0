"""Weights, bans, order counts and injected faults, as a client meets them."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from trade_pipeline.exchange.faults import FEED_KINDS, Faults
from trade_pipeline.exchange.server.weights import LimitReached, Weights
from trade_pipeline_tests.exchange.servers import SECRET, Running, client

TOKEN = {"X-SIM-TOKEN": SECRET}
MINUTE_MS = 60_000


def test_weight_beyond_the_limit_is_429_until_the_minute_ends() -> None:
    weights = Weights(100)
    assert weights.charge("a", 60, 0) == 60
    with pytest.raises(LimitReached) as refusal:
        weights.charge("a", 60, 10_000)
    assert (refusal.value.status, refusal.value.code, refusal.value.retry_after_s) == (429, -1003, 50)
    assert weights.charge("b", 60, 10_000) == 60
    assert weights.charge("a", 60, MINUTE_MS) == 60


def test_going_on_after_429_is_a_ban_that_grows() -> None:
    weights, waits = Weights(100), []
    for start in (0, 10 * MINUTE_MS):
        with pytest.raises(LimitReached, match="IP banned until") as refusal:
            for _ in range(100):
                try:
                    weights.charge("a", 101, start)
                except LimitReached as limit:
                    if limit.status == 418:
                        raise
        waits.append(refusal.value.retry_after_s)
        with pytest.raises(LimitReached, match="IP banned"):
            weights.charge("a", 1, start + MINUTE_MS)
    assert waits == [120, 240]


def test_every_answer_says_the_weight_that_was_used(server: Running) -> None:
    one = server.http.get("/api/v3/klines", params={"symbol": "BTCUSDT", "interval": "1m", "limit": "3"})
    two = server.http.get("/api/v3/exchangeInfo")
    used = [int(answer.headers["X-MBX-USED-WEIGHT-1M"]) for answer in (one, two)]
    # A new minute may begin between the two.
    assert used[1] in {used[0] + 20, 20}


def test_an_order_says_the_count_of_orders(binance: Any) -> None:
    binance.create_order("SUI/USDT", "market", "buy", 5)
    assert int(binance.last_response_headers["x-mbx-order-count-10s"]) >= 1


def test_the_admin_endpoints_need_the_secret(server: Running) -> None:
    assert server.http.get("/sim/state").status_code == 401
    state = server.http.get("/sim/state", headers=TOKEN).json()
    assert len(state["listed"]) == 20
    assert server.http.get("/sim/mapping", headers=TOKEN).json()["kind"] == "seeded"


def _fault(server: Running, **fault: Any) -> httpx.Response:
    return server.http.post("/sim/faults", headers=TOKEN, json=fault)


@pytest.fixture(autouse=True)
def _no_faults_left(server: Running) -> Any:
    yield
    server.http.delete("/sim/faults", headers=TOKEN)


def test_a_fault_that_nobody_knows_is_refused_by_name(server: Running) -> None:
    for wrong in ({"kind": "earthquake"}, {"kind": "stale", "colour": "red"}, {"kind": "stale", "count": 0}):
        assert _fault(server, **wrong).status_code == 400


def _klines(server: Running, symbol: str = "BTCUSDT") -> list[list[Any]]:
    return server.get("klines", symbol=symbol, interval="1m", limit=5)  # type: ignore[no-any-return]


def test_broken_feeds_break_the_candles_of_their_symbol_only(server: Running) -> None:
    sound = _klines(server, "ETHUSDT")
    for kind in sorted({*FEED_KINDS} - {"stale"}):
        _fault(server, kind=kind, symbol="BTC/USDT")
        rows = _klines(server)
        times = [row[0] for row in rows]
        broken = {
            "negative_price": any(float(row[4]) < 0 for row in rows),
            "high_below_low": any(float(row[2]) < float(row[3]) for row in rows),
            "gap": times[-1] - times[0] != (len(times) - 1) * MINUTE_MS,
            "duplicate": len(set(times)) < len(times) and len({str(row) for row in rows}) == len(set(times)),
            "conflicting_duplicate": len(set(times)) < len(times) and len({str(row) for row in rows}) == len(rows),
            "revised_candle": _klines(server)[-2][5] != rows[-2][5],
            "other_price": float(rows[-1][1]) > float(rows[-2][4]) * 1.01,
        }
        assert broken[kind], kind
        server.http.delete("/sim/faults", headers=TOKEN)
    assert _klines(server, "ETHUSDT")[:3] == sound[:3] or _klines(server, "ETHUSDT")[:2] == sound[1:3]


def test_a_gap_stays_where_it_is_while_the_feed_goes_on() -> None:
    faults = Faults()
    since = 10 * MINUTE_MS + 30_000
    faults.add({"kind": "gap", "symbol": "BTCUSDT"}, since)

    def shown(now_ms: int) -> list[int]:
        rows: list[list[object]] = [[minute * MINUTE_MS] for minute in range(5, now_ms // MINUTE_MS + 1)]
        return [int(str(row[0])) // MINUTE_MS for row in faults.on_klines("BTCUSDT", rows, now_ms)]

    assert shown(since) == [5, 6, 7, 8, 10], "the one that had closed is gone, the one that runs is there"
    assert shown(since + MINUTE_MS) == [5, 6, 7, 8, 11]
    assert shown(since + 3 * MINUTE_MS) == [5, 6, 7, 8, 11, 12, 13]


def test_a_stale_feed_shows_no_candle_that_closed_after_the_fault(server: Running) -> None:
    _fault(server, kind="stale", symbol="BTCUSDT")
    rows = _klines(server)
    assert all(row[0] + MINUTE_MS <= server.context.faults.active[0].since_ms for row in rows)


@pytest.mark.parametrize(("kind", "status"), [("http_500", 500), ("http_429", 429), ("lost_before_effect", 503)])
def test_a_failing_answer_strikes_as_often_as_asked_and_has_no_effect(server: Running, kind: str, status: int) -> None:
    made = client(server.url)
    made.load_markets()
    _fault(server, kind=kind, path="/api/v3/order", method="POST", count=1, delay_s=0)
    before = len(server.context.world.engine.state.orders)
    signed = made.sign("order", "private", "POST", _order())
    assert _send(signed).status_code == status
    assert len(server.context.world.engine.state.orders) == before
    assert _send(made.sign("order", "private", "POST", _order())).status_code == 200


def test_a_timeout_comes_after_the_effect(server: Running) -> None:
    made = client(server.url)
    made.load_markets()
    _fault(server, kind="timeout", path="/api/v3/order", count=1, delay_s=0.3)
    before, began = len(server.context.world.engine.state.orders), time.monotonic()
    answer = _send(made.sign("order", "private", "POST", _order()))
    assert (answer.status_code, answer.json()["code"]) == (504, -1007)
    assert time.monotonic() - began >= 0.3
    assert len(server.context.world.engine.state.orders) == before + 1


def _order() -> dict[str, str]:
    return {"symbol": "NEARUSDT", "side": "BUY", "type": "MARKET", "quantity": "2"}


def _send(signed: dict[str, Any]) -> httpx.Response:
    return httpx.request("POST", signed["url"], headers=signed["headers"], content=signed["body"])
