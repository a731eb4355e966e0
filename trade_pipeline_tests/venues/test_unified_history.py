"""Spans are read whole, whichever way an exchange pages, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trade_pipeline.errors import MalformedAnswer
from trade_pipeline.venues.answers import milliseconds
from trade_pipeline.venues.unified_answers import time_of_trade_number_ms, trade_number
from trade_pipeline.venues.unified_history import DAY_MS, orders_of_span, trades_of_span

BTC = "BTC/USDT"
START = 1_700_000_000_000


class Paged:
    """An exchange with rows at these times, that answers a page of the newest or of the oldest within a span."""

    def __init__(self, times: list[int], *, page: int, newest_first: bool, by_offset: bool = False) -> None:
        self.rows: list[dict[str, Any]] = [
            {"id": str(at), "timestamp": moment, "symbol": BTC} for at, moment in enumerate(times)
        ]
        self.page, self.newest_first, self.by_offset = page, newest_first, by_offset
        self.spans: list[int] = []

    def fetch_my_trades(self, symbol: Any, since: int | None, limit: int | None, params: dict[str, Any]) -> list[Any]:
        if self.by_offset:
            newest_first = sorted(self.rows, key=lambda row: -row["timestamp"])
            return newest_first[params["ofs"] : params["ofs"] + self.page]
        assert since is not None
        self.spans.append(params["until"] - since)
        within = [row for row in self.rows if since <= row["timestamp"] <= params["until"]]
        within.sort(key=lambda row: row["timestamp"], reverse=self.newest_first)
        return within[: self.page]

    fetch_orders = fetch_my_trades


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    gaps=st.lists(st.integers(1, 3 * DAY_MS), max_size=350),
    newest_first=st.booleans(),
    exchange=st.sampled_from(["okx", "bybit", "coinbase", "mexc"]),
)
def test_every_trade_of_a_span_is_read_in_order(gaps: list[int], newest_first: bool, exchange: str) -> None:
    times, at = [], START
    for gap in gaps:
        at += gap // 10
        times.append(at)
    client = Paged(times, page=100, newest_first=newest_first)
    found = trades_of_span(client, exchange, BTC, START, at + 1)
    assert [row["timestamp"] for row in found] == times
    if exchange in ("bybit", "mexc"):
        assert max(client.spans) <= 7 * DAY_MS


def test_by_offset_every_page_is_read_and_other_symbols_do_not_shorten_one() -> None:
    client = Paged([START + n for n in range(120)], page=50, newest_first=True, by_offset=True)
    client.rows[7]["symbol"] = "ETH/USDT"
    assert len(trades_of_span(client, "kraken", BTC, START, START + 1000)) == 119


@pytest.mark.parametrize("read", [trades_of_span, orders_of_span])
def test_more_in_one_moment_than_a_page_holds_is_an_error_and_no_shorter_list(read: Callable[..., Any]) -> None:
    client = Paged([START + 5] * 150, page=100, newest_first=True)
    method = ("fetch_orders",) if read is orders_of_span else ()
    with pytest.raises(MalformedAnswer, match="holds nothing new"):
        read(client, "coinbase", *method, BTC, START, START + 1000)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(min_size=1), st.text(min_size=1), st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_trades_number_grows_with_time_and_names_one_trade(one: str, other: str, ms: int, more_ms: int) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    later = at + timedelta(milliseconds=more_ms)
    number = trade_number(one, at)
    assert trade_number(one, at) == number
    assert time_of_trade_number_ms(number) == milliseconds(at)
    if more_ms:
        assert int(trade_number(other, later)) > int(number)
        assert len(trade_number(other, later)) == len(number)
    elif one != other:
        assert trade_number(other, later) != number


@pytest.mark.parametrize("odd", ["", "x1", "-5", "1.5"])
def test_a_trade_number_that_is_none_is_malformed(odd: str) -> None:
    with pytest.raises(MalformedAnswer, match="trade id"):
        time_of_trade_number_ms(odd)
