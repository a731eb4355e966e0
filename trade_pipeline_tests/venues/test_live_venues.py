"""Which venue live mode makes of a name, what is asked of a key first, and where its requests can go."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from trade_pipeline.errors import SettingsError
from trade_pipeline.runtime.preflight.reader import FactReader
from trade_pipeline.runtime.preflight.risky import risks
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline.venues.capabilities import CAPABILITIES
from trade_pipeline.venues.factory import trading_venue
from trade_pipeline.venues.unified_client import UnifiedOptions, unified_client
from trade_pipeline.venues.unified_trading import UnifiedTrading
from trade_pipeline_tests.venues.dialects import EXCHANGES
from trade_pipeline_tests.venues.ledgers_of_exchanges import BALANCES
from trade_pipeline_tests.venues.test_factory import Keys
from trade_pipeline_tests.venues.test_permissions import GOOD
from trade_pipeline_tests.venues.test_unified_trading import OPEN_LISTS, opened

EACH = pytest.mark.parametrize("exchange", EXCHANGES)
WHOLE = Keys(exchange_api_passphrase="pass")


def live(name: str, **venue: Any) -> Settings:
    symbols = ["BTC/USDT"] if name == "mexc" else []
    return Settings.model_validate({"mode": "live", "venue": {"name": name, **venue}, "market": {"symbols": symbols}})


@EACH
def test_live_trades_on_the_exchange_that_the_settings_name(exchange: str) -> None:
    venue = trading_venue(live(exchange), WHOLE, None)
    assert isinstance(venue, BinanceTrading if exchange == "binance" else UnifiedTrading)
    assert venue.capabilities.exchange == exchange


def test_a_name_of_which_nothing_is_known_is_no_setting() -> None:
    with pytest.raises(ValueError, match=r"venue\.name"):
        live("bitstamp")


@pytest.mark.parametrize("exchange", ["okx", "kucoin"])
def test_a_key_without_its_third_part_is_a_settings_error(exchange: str) -> None:
    with pytest.raises(SettingsError, match="TRADE_PIPELINE_EXCHANGE_API_PASSPHRASE"):
        trading_venue(live(exchange), Keys(), None)


def test_where_open_orders_are_listed_by_symbol_the_symbols_have_to_be_named() -> None:
    settings = Settings.model_validate({"mode": "live", "venue": {"name": "mexc"}})
    with pytest.raises(SettingsError, match=r"market\.symbols"):
        trading_venue(settings, WHOLE, None)


@EACH
def test_play_money_goes_to_the_exchanges_other_address_or_is_refused(exchange: str) -> None:
    settings = live(exchange, sandbox=True)
    if not CAPABILITIES[exchange].sandbox:
        with pytest.raises(SettingsError, match="no sandbox"):
            trading_venue(settings, WHOLE, None)
        return
    venue = trading_venue(settings, WHOLE, None)
    assert isinstance(venue, UnifiedTrading)
    own, play = (
        unified_client(UnifiedOptions(exchange, None, 1.0, sandbox=sandbox), throttled=False)
        for sandbox in (False, True)
    )
    moved = play.urls["api"] != own.urls["api"]
    assert moved or play.headers.get("x-simulated-trading") == "1"


@EACH
def test_with_an_address_of_this_machine_no_request_can_reach_the_exchange(exchange: str) -> None:
    client = unified_client(UnifiedOptions(exchange, "http://127.0.0.1:1/", 1.0), throttled=False)
    assert set(hosts(client.urls["api"])) == {"127.0.0.1:1"}


def hosts(addresses: Any) -> list[str]:
    if isinstance(addresses, dict):
        return [host for inner in addresses.values() for host in hosts(inner)]
    return [urlsplit(addresses).netloc]


def test_no_options_show_a_key() -> None:
    assert "geheim" not in repr(UnifiedOptions("okx", None, 1.0, "geheim", "geheim", "geheim"))


@EACH
def test_the_preflight_asks_the_exchange_itself(exchange: str, tmp_path: Path) -> None:
    said: dict[str, Any] = {path: answer for name, answer, path in GOOD if name == exchange}
    if exchange == "bybit":
        said["/v5/user/query-api"]["result"].update(uta=0, unified=0)
    if exchange == "okx":
        said["/api/v5/account/config"]["data"][0].update(acctLv="1")
    empty: dict[str, Any] = {"binance": [], "mexc": [], "okx": {"code": "0", "data": []}}
    lists = {OPEN_LISTS[exchange]: empty[exchange]} if exchange in empty else EXCHANGES[exchange].empty
    if exchange == "coinbase":
        lists = {"/historical/batch": {"orders": [], "has_next": False, "cursor": ""}}
    balances, answer = BALANCES[exchange]
    venue, _ = opened(exchange, {**lists, balances: answer, **said})
    facts = FactReader(live(exchange), Home.at(tmp_path), exchange_url=None, now=venue._now).read(venue, None)
    assert facts.troubles == {}
    assert facts.key is not None
    assert facts.key.can_withdraw is (None if exchange == "mexc" else False)
    assert facts.account_kind == "spot"
    assert facts.foreign_orders == 0
    assert facts.clock_offset_ms is not None
    assert abs(facts.clock_offset_ms) <= max(facts.clock_uncertainty_ms, 1)
    assert (facts.clock_uncertainty_ms >= 500) is (exchange in ("kraken", "coinbase"))


@EACH
def test_where_no_stop_can_rest_live_has_to_be_meant(exchange: str) -> None:
    named = {risk.setting for risk in risks(live(exchange))}
    assert ("venue.name" in named) is (exchange in ("bybit", "okx", "kucoin", "mexc"))
