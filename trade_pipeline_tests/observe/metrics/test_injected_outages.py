"""Outages of real exchanges over HTTP, and what a scraper reads of them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trade_pipeline.market_data.sources.protocol import Tier
from trade_pipeline.observe.metrics.exposition import Exposition
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.market_data.sources.test_injected_outages import SYMBOLS, pair
from trade_pipeline_tests.observe.metrics.scraped import Scrape, read

ROUNDS = 10
SETTINGS = Settings.model_validate({"sources": {"secondary": ["two"]}})


def _scrape(home: Home) -> Scrape:
    nobody = {"TRADE_PIPELINE_LEDGER_URL": f"postgresql+psycopg2://a:b@/x?host={home.root}"}
    told = Exposition(home, SETTINGS, nobody).text()
    assert told is not None
    return read(told[0].decode())


def test_a_failing_exchange_a_silent_pair_and_bars_too_old_show_in_the_numbers(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    with pair(home.source_figures.parent) as exchanges:
        symbols = sorted(exchanges.cascade.markets())
        since = datetime.now(UTC) - timedelta(minutes=15)
        exchanges.cascade.fetch_bars(symbols, since)
        healthy = _scrape(home)
        exchanges.fault(0, kind="http_500", path="/api/v3/klines", share=0.2)
        answers = [exchanges.cascade.fetch_bars(symbols, since) for _ in range(ROUNDS)]
        partly = _scrape(home)
        for exchange in (0, 1):
            exchanges.fault(exchange, kind="http_500")
        exchanges.cascade.fetch_bars(symbols, since)
        exchanges.wall.added = timedelta(seconds=120)
        exchanges.cascade.fetch_bars(symbols, since)
        exchanges.wall.added = timedelta(seconds=301)
        exchanges.cascade.fetch_bars(symbols, since)
        silent = _scrape(home)

    assert healthy.one("source_requests_total", source="one") == SYMBOLS
    assert not healthy.labelled("source_failures_total")
    assert healthy.one("source_answered_ratio", source="one") == 1.0
    assert healthy.labelled("bar_answers_total") == {
        ("primary",): SYMBOLS,
        ("secondary",): 0,
        ("fresh_cache",): 0,
        ("stale_cache",): 0,
    }

    tiers = Counter(origin.tier for answer in answers for origin in answer.provenance.values())
    assert tiers[Tier.SECONDARY] > 0, "the outage was not injected"
    assert partly.one("bar_answers_total", tier="primary") == SYMBOLS + tiers[Tier.PRIMARY]
    assert partly.one("bar_answers_total", tier="secondary") == tiers[Tier.SECONDARY]
    failures = sum(partly.labelled("source_failures_total").values())
    assert failures >= tiers[Tier.SECONDARY]
    requests = (ROUNDS + 1) * SYMBOLS
    assert partly.one("source_requests_total", source="one") == requests
    assert partly.one("source_answered_ratio", source="one") == pytest.approx(1 - tiers[Tier.SECONDARY] / requests)
    assert partly.one("bar_answered_ratio") == 1.0

    assert silent.one("bar_answers_total", tier="fresh_cache") == SYMBOLS
    assert silent.one("bar_answers_total", tier="stale_cache") == SYMBOLS
    assert silent.labelled("bar_answers_missing_total") == {("KeptBarsTooOld",): SYMBOLS}
    assert silent.one("bar_answered_ratio") == pytest.approx(1 - SYMBOLS / ((ROUNDS + 4) * SYMBOLS))
    assert silent.one("source_breaker_state", source="two", state="OPEN") == 1
    assert silent.one("source_breaker_state", source="two", state="CLOSED") == 0
