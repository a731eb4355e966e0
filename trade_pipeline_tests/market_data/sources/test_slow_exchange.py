"""A loaded machine: an exchange that answers every request, and each later than a source is usually waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from trade_pipeline.errors import VenueUnavailable
from trade_pipeline.market_data.fetch import Clock, Fetched, fetch_closed
from trade_pipeline.market_data.sources.cascade import Cascade
from trade_pipeline.market_data.sources.protocol import Hurried, Tier
from trade_pipeline.market_data.sources.warm import Warmer
from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.settings.sources import SourceSettings
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline_tests.exchange.servers import Running, running_server
from trade_pipeline_tests.market_data.sources.scripted_source import ScriptedSource, Time

SLOW_S = 0.4
PATIENCE_S = 0.1
MINUTE = timedelta(minutes=1)
MARKET = MarketSettings(settle_ms=0, late_limit_s=0.2)


@pytest.fixture(scope="module")
def exchange() -> Iterator[Running]:
    with running_server(symbols=5, history_days=3) as running:

        async def slowly(method: str, path: str, values: dict[str, str]) -> None:
            if path.endswith("/klines"):
                await asyncio.sleep(SLOW_S)

        running.context.follow = slowly
        yield running


@pytest.fixture
def cascade(exchange: Running) -> Iterator[Cascade]:
    """The slow exchange, and after it one that is down."""
    second = ScriptedSource("two", Time())
    second.down = VenueUnavailable("it is down")
    made = Cascade(
        [BinanceMarketData(exchange.url, MARKET), second],
        SourceSettings(patience_s=PATIENCE_S, soft_age_s=30, hard_age_s=60),
    )
    yield made
    made.close()


def a_close() -> datetime:
    """The last minute that is over, so that no test waits for one."""
    return datetime.now(UTC).replace(second=0, microsecond=0)


def first_fetch(cascade: Cascade, back: timedelta) -> tuple[Fetched, list[str]]:
    as_of = a_close()
    symbols = sorted(cascade.markets())
    return fetch_closed(cascade, dict.fromkeys(symbols, as_of - back), as_of, MARKET, Clock()), symbols


def test_the_first_fetch_into_an_empty_lake_gives_no_symbol_up(cascade: Cascade) -> None:
    """Of its pages the last one begins within the hour, and the decision's limit is over by then."""
    fetched, symbols = first_fetch(cascade, timedelta(minutes=2040))
    assert fetched.late == {}
    assert fetched.frame.height == 2040 * len(symbols)
    assert {origin.tier for origin in fetched.provenance.values()} == {Tier.PRIMARY}


def test_bars_that_have_just_closed_are_given_up_for_the_next_source(cascade: Cascade) -> None:
    fetched, symbols = first_fetch(cascade, 2 * MINUTE)
    assert sorted(fetched.late) == symbols
    assert fetched.provenance == {}


def test_warming_waits_longer_than_a_decision(cascade: Cascade) -> None:
    symbols = sorted(cascade.markets())
    Warmer(cascade, lead_s=40 * SLOW_S).warm(symbols)
    assert sorted(cascade.kept.get(symbols)) == symbols
    assert str(next(iter(cascade.breakers.values())).phase) == "CLOSED"


def test_a_cascade_can_be_asked_without_hurry_and_is_the_same_venue_else(cascade: Cascade) -> None:
    assert isinstance(cascade, Hurried)
    unhurried = cascade.unhurried()
    assert unhurried.markets() == cascade.markets()
    symbols = sorted(unhurried.markets())
    assert not unhurried.fetch_bars(symbols, limit=3).errors
