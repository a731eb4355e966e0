"""Real HTTP through ccxt, with one request in twenty of the first exchange failing; then nothing left at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest

from trade_pipeline.errors import KeptBarsTooOld
from trade_pipeline.market_data.sources.cascade import CASCADE, Cascade
from trade_pipeline.market_data.sources.figures import Figures
from trade_pipeline.market_data.sources.protocol import Tier
from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.settings.sources import SourceSettings
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline_tests.exchange.servers import SECRET, running_server

ROUNDS, SYMBOLS = 100, 20
ONE_ATTEMPT = MarketSettings(read_attempts_max=1, request_timeout_s=2.0)
"""The venue does not try again by itself: what is answered is the cascade's merit."""


class Wall:
    """The real time, and what a test adds to it."""

    def __init__(self) -> None:
        self.added = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.added


@dataclass
class Pair:
    cascade: Cascade
    figures: Figures
    wall: Wall
    urls: tuple[str, str]

    def fault(self, exchange: int, **fault: object) -> None:
        answer = httpx.post(f"{self.urls[exchange]}/sim/faults", json=fault, headers={"X-SIM-TOKEN": SECRET})
        assert answer.status_code == 200, answer.text


@contextmanager
def pair(folder: Path, **settings: float) -> Iterator[Pair]:
    """Two exchanges that play the same market, the second standing in for the first."""
    weights = {"symbols": SYMBOLS, "history_days": 1, "weight_limit_per_minute": 10_000_000}
    with running_server(**weights) as one, running_server(**weights) as two:
        sources = [
            BinanceMarketData(running.url, ONE_ATTEMPT, source=name, weight_per_minute=10_000_000)
            for name, running in (("one", one), ("two", two))
        ]
        figures, wall = Figures(folder / "figures.sqlite", 7), Wall()
        chosen = SourceSettings.model_validate({"patience_s": 20, "soft_age_s": 60, "hard_age_s": 300, **settings})
        cascade = Cascade(sources, chosen, figures=figures, now=wall.now)
        try:
            yield Pair(cascade, figures, wall, (one.url, two.url))
        finally:
            cascade.close()


@pytest.fixture(scope="module")
def exchanges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(tmp_path_factory.mktemp("pair")) as made:
        yield made


def test_through_an_outage_of_one_request_in_twenty_999_of_1000_are_answered(exchanges: Pair) -> None:
    symbols = sorted(exchanges.cascade.markets())
    assert len(symbols) == SYMBOLS
    since = datetime.now(UTC) - timedelta(minutes=15)
    exchanges.cascade.fetch_bars(symbols, since)
    exchanges.fault(0, kind="http_500", path="/api/v3/klines", share=0.05)
    tiers: Counter[Tier] = Counter()
    unanswered = 0
    for _ in range(ROUNDS):
        answer = exchanges.cascade.fetch_bars(symbols, since)
        tiers.update(origin.tier for origin in answer.provenance.values())
        unanswered += len(answer.errors)
        assert set(answer.frame["symbol"]) == set(symbols)
    requests = ROUNDS * SYMBOLS
    assert unanswered <= requests * 0.001
    assert 0.03 * requests < tiers[Tier.SECONDARY] < 0.07 * requests, "the outage was not injected"
    found = {row.source: row for row in exchanges.figures.snapshot()}
    assert found["one"].answered_ratio == pytest.approx(0.95, abs=0.02)
    assert found[CASCADE].answered_ratio >= 0.999


def test_with_both_exchanges_silent_kept_bars_are_marked_and_then_refused(tmp_path: Path) -> None:
    with pair(tmp_path) as exchanges:
        symbols = sorted(exchanges.cascade.markets())
        since = datetime.now(UTC) - timedelta(minutes=15)
        before = exchanges.cascade.fetch_bars(symbols, since)
        for exchange in (0, 1):
            exchanges.fault(exchange, kind="http_500")
        fresh = exchanges.cascade.fetch_bars(symbols, since)
        exchanges.wall.added = timedelta(seconds=120)
        stale = exchanges.cascade.fetch_bars(symbols, since)
        exchanges.wall.added = timedelta(seconds=301)
        refused = exchanges.cascade.fetch_bars(symbols, since)
        assert {origin.tier for origin in fresh.provenance.values()} == {Tier.FRESH_CACHE}
        assert {(origin.source, origin.stale) for origin in stale.provenance.values()} == {("one", True)}
        # A symbol's running candle has no row before its first trade: the newest row is each symbol's own.
        final = before.frame.filter(pl.col("open_time") < pl.col("open_time").max().over("symbol"))
        assert stale.frame.sort("symbol", "open_time").equals(final.sort("symbol", "open_time"))
        assert refused.frame.is_empty()
        assert {type(error) for error in refused.errors.values()} == {KeptBarsTooOld}


def test_an_exchange_that_hangs_does_not_hold_up_the_others_symbols(tmp_path: Path) -> None:
    with pair(tmp_path, patience_s=0.5) as exchanges:
        symbols = sorted(exchanges.cascade.markets())
        exchanges.cascade.sources[1].markets()
        since = datetime.now(UTC) - timedelta(minutes=15)
        exchanges.cascade.fetch_bars(symbols, since)
        exchanges.fault(0, kind="lost_before_effect", path="/api/v3/klines", symbol="BTCUSDT", delay_s=5)
        began = datetime.now(UTC)
        answer = exchanges.cascade.fetch_bars(symbols, since)
        assert datetime.now(UTC) - began < timedelta(seconds=2)
        assert not answer.errors
        by_tier = {symbol: origin.tier for symbol, origin in answer.provenance.items()}
        assert by_tier.pop("BTC/USDT") is Tier.SECONDARY
        assert set(by_tier.values()) == {Tier.PRIMARY}
