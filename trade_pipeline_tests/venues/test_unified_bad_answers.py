"""Answers of seven exchanges, bent in every way, through ccxt's own readers: read, or a typed error. Nothing else."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trade_pipeline.errors import MalformedAnswer, VenueError
from trade_pipeline.schemas.trading import VenueOrder
from trade_pipeline.venues.unified_trading import UnifiedTrading
from trade_pipeline_tests.venues.dialects import BTC, EXCHANGES, OWN
from trade_pipeline_tests.venues.ledgers_of_exchanges import BALANCES, TRADES
from trade_pipeline_tests.venues.recorded_transport import RecordedTransport
from trade_pipeline_tests.venues.test_bad_answers import MISSING, ODD, bent, places
from trade_pipeline_tests.venues.test_unified_trading import opened

EACH = pytest.mark.parametrize("exchange", EXCHANGES)


@cache
def venue_of(exchange: str) -> tuple[UnifiedTrading, RecordedTransport]:
    """One venue for all bent answers: what it remembers of symbols and clocks is not what is tested."""
    venue, transport = opened(exchange, {})
    venue._exchange_now()  # the clock is asked for once, before answers are bent
    return venue, transport


def asked(exchange: str, path: str, raw: Any, ask: Any) -> object:
    venue, transport = venue_of(exchange)
    before = dict(transport.answers)
    transport.answers[path] = raw
    try:
        return ask(venue)
    finally:
        transport.answers = before


READERS: dict[str, Any] = {
    "order": lambda exchange: next(iter(EXCHANGES[exchange].look_up.items())),
    "trades": lambda exchange: TRADES[exchange],
    "balances": lambda exchange: BALANCES[exchange],
}
ASK: dict[str, Any] = {
    "order": lambda venue: venue.order(BTC, OWN),
    "trades": lambda venue: venue.trades(BTC, "0"),
    "balances": lambda venue: venue.account(),
}


@pytest.mark.no_cover  # most of it is ccxt's; which of our lines run is seen where answers are whole
@EACH
@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_bent_answer_is_read_or_is_a_typed_error(exchange: str, kind: str, data: st.DataObject) -> None:
    path, raw = READERS[kind](exchange)
    for _ in range(data.draw(st.integers(1, 2))):
        value = data.draw(st.one_of(st.just(MISSING), ODD.filter(writable)))
        raw = bent(raw, data.draw(st.sampled_from(places(raw))), value)
    try:
        found = asked(exchange, path, raw, ASK[kind])
    except VenueError as error:
        assert error.message
    else:
        if isinstance(found, VenueOrder):
            assert 0 <= found.filled <= found.amount
            assert found.client_order_id == OWN


def writable(value: object) -> bool:
    """Whether JSON has it; NaN and infinity as text are tried as well."""
    return not (isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))))


WORDS = {"kraken": "status", "bybit": "orderStatus", "okx": "state", "coinbase": "status", "mexc": "status",
         "binance": "status"}  # fmt: skip


@pytest.mark.parametrize("exchange", WORDS)
@pytest.mark.parametrize("word", ["SOMETHING_NEW", "", None, 7])
def test_a_status_that_nobody_knows_is_malformed_and_names_symbol_and_value(exchange: str, word: object) -> None:
    path, raw = READERS["order"](exchange)
    place = next(place for place in places(raw) if place and place[-1] == WORDS[exchange])
    with pytest.raises(MalformedAnswer, match=BTC) as raised:
        asked(exchange, path, bent(raw, place, word), ASK["order"])
    assert raised.value.repair


@EACH
@pytest.mark.parametrize("name", ["amount", "price"])
@pytest.mark.parametrize("value", ["0", "-1", "NaN", None])
def test_a_fill_of_nothing_or_for_nothing_is_no_fill(exchange: str, name: str, value: object) -> None:
    fields = {"amount": ("qty", "vol", "execQty", "fillSz", "size"), "price": ("price", "execPrice", "fillPx")}[name]
    path, raw = TRADES[exchange]
    place = next(place for place in places(raw) if place and place[-1] in fields)
    with pytest.raises(MalformedAnswer):
        asked(exchange, path, bent(raw, place, value), ASK["trades"])


@pytest.mark.parametrize("exchange", [name for name in EXCHANGES if name != "kraken"])
def test_a_trade_told_twice_is_one(exchange: str) -> None:
    """Kraken names its trades by their ids: none can be there twice."""
    path, raw = TRADES[exchange]
    place = next(place for place in places(raw) if place and isinstance(place[-1], int))[:-1]
    rows = raw
    for key in place:
        rows = rows[key]
    twice = bent(raw, place, [*rows, *rows]) if place else [*rows, *rows]
    found = asked(exchange, path, twice, ASK["trades"])
    assert isinstance(found, list)
    assert len(found) == 1
