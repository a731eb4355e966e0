"""The cascade of a stack follows its settings; what cannot be meant is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from trade_pipeline.errors import SettingsError
from trade_pipeline.market_data.sources.from_settings import cascade_of
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings

ENVIRON = {"TRADE_PIPELINE_EXCHANGE_URL": "http://127.0.0.1:1"}


def names(tmp_path: Path, **settings: object) -> list[str]:
    chosen = Settings.model_validate(settings)
    cascade = cascade_of(chosen, Home.at(tmp_path), ENVIRON if chosen.mode != "live" else {}, lambda: datetime.now(UTC))
    cascade.close()
    assert chosen.sources.secondary_names == tuple(source.name for source in cascade.sources[1:])
    return [source.name for source in cascade.sources]


def test_without_secondaries_the_exchange_is_the_only_source(tmp_path: Path) -> None:
    assert names(tmp_path) == ["binance-sim"]


def test_secondaries_follow_in_their_order(tmp_path: Path) -> None:
    assert names(tmp_path, mode="paper", sources={"secondary": ["kraken", "okx"]}) == ["binance", "kraken", "okx"]


def test_a_second_simulated_exchange_has_a_name_of_its_own(tmp_path: Path) -> None:
    sources = {"secondary": ["binance"], "secondary_urls": {"binance": "http://127.0.0.1:2"}}
    assert names(tmp_path, sources=sources) == ["binance-sim", "binance-sim-2"]


def test_a_real_exchange_does_not_stand_in_for_the_simulated_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="real exchange cannot stand in"):
        names(tmp_path, sources={"secondary": ["kraken"]})


def test_live_reads_no_address_that_somebody_set(tmp_path: Path) -> None:
    sources = {"secondary": ["kraken"], "secondary_urls": {"kraken": "http://127.0.0.1:2"}}
    with pytest.raises(SettingsError, match="real exchanges only"):
        names(tmp_path, mode="live", sources=sources)


def test_a_source_does_not_stand_in_for_itself(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="stand in for itself"):
        names(tmp_path, mode="live", sources={"secondary": ["binance"]})


def test_an_address_elsewhere_and_ages_out_of_order_are_refused(tmp_path: Path) -> None:
    sources = {"secondary": ["kraken"], "secondary_urls": {"kraken": "http://192.0.2.1"}}
    with pytest.raises(ValueError, match="no address of this machine"):
        names(tmp_path, sources=sources)
    with pytest.raises(ValueError, match="must be below hard_age_s"):
        names(tmp_path, sources={"soft_age_s": 60, "hard_age_s": 60})
