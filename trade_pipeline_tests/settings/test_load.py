"""Settings are read from file and environment, and every mistake is named in one sentence."""

from __future__ import annotations

import stat
from decimal import Decimal
from pathlib import Path

import pytest

from trade_pipeline.errors import SettingsError
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import (
    Secrets,
    load_settings,
    secrets_from,
    setting_names,
    settings_in_force,
    write_settings_in_force,
)


def _file(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_the_defaults_need_no_file() -> None:
    settings = load_settings(None, environ={})
    assert settings.mode == "sim"
    assert settings.home.is_absolute()


def test_the_command_line_beats_the_environment_and_that_beats_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path, "market:\n  symbols_max: 3\n  settle_ms: 10\nruntime:\n  ui_port: 1\n")
    environ = {"TRADE_PIPELINE__MARKET__SETTLE_MS": "20", "TRADE_PIPELINE__RUNTIME__UI_PORT": "2"}
    settings = load_settings(path, overrides={"runtime.ui_port": 3, "mode": None}, environ=environ)
    assert (settings.market.symbols_max, settings.market.settle_ms, settings.runtime.ui_port) == (3, 20, 3)


def test_a_list_and_an_exact_number_can_be_given_in_the_environment() -> None:
    environ = {
        "TRADE_PIPELINE__MARKET__SYMBOLS": "[BTC/USDT, ETH/USDT]",
        "TRADE_PIPELINE__PORTFOLIO__RISK_PER_POSITION": "0.0025",
    }
    settings = load_settings(None, environ=environ)
    assert settings.market.symbols == ("BTC/USDT", "ETH/USDT")
    assert settings.portfolio.risk_per_position == Decimal("0.0025")


def test_an_unknown_key_is_refused_and_the_nearest_one_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"unknown setting 'market\.symbols_mx'.*Did you mean 'market\.symbols_max"):
        load_settings(_file(tmp_path, "market:\n  symbols_mx: 3\n"), environ={})


def test_a_key_in_the_wrong_section_is_refused_and_the_right_one_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Did you mean 'portfolio\.risk_per_position'"):
        load_settings(_file(tmp_path, "execution:\n  risk_per_position: 0.1\n"), environ={})


def test_a_wrong_value_is_named_with_its_value(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"market\.symbols_max.*got -4"):
        load_settings(_file(tmp_path, "market:\n  symbols_max: -4\n"), environ={})


def test_a_contradiction_between_two_settings_is_explained(tmp_path: Path) -> None:
    path = _file(tmp_path, "portfolio:\n  position_weight_max: 0.9\n  total_weight_max: 0.5\n")
    with pytest.raises(SettingsError, match=r"position_weight_max 0\.9 exceeds total_weight_max 0\.5"):
        load_settings(path, environ={})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("market: [", "not valid YAML"),
        ("- a\n- b\n", "must hold sections"),
        ("market:\n  settle_ms: 1\n  settle_ms: 2\n", "'settle_ms' appears twice"),
    ],
)
def test_a_file_that_is_no_settings_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(_file(tmp_path, text), environ={})


def test_a_missing_file_is_refused_with_the_repair(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.yaml.*cannot be read.*--settings"):
        load_settings(tmp_path / "absent.yaml", environ={})


def test_a_section_with_every_key_commented_out_is_the_default(tmp_path: Path) -> None:
    assert load_settings(_file(tmp_path, "market:\n  # settle_ms: 1\n"), environ={}).market.settle_ms == 150


def test_settings_in_force_come_back_as_they_were_without_the_secrets(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    overrides = {"storage.ledger_url": "postgresql+psycopg2://me:hidden@host/db", "home": str(tmp_path)}
    settings = load_settings(None, overrides=overrides, environ={})
    write_settings_in_force(home, settings)
    text = home.settings_in_force.read_text()
    assert "hidden" not in text
    again = settings_in_force(home)
    assert again.decision_hash == settings.decision_hash
    assert again.storage.ledger_url is None
    assert stat.S_IMODE(home.settings_in_force.stat().st_mode) == 0o600


def test_a_home_where_nothing_was_started_says_how_to_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="trade-pipeline up"):
        settings_in_force(Home.at(tmp_path))


def test_secrets_come_from_the_environment_before_the_file_and_are_never_shown(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    home.secrets.write_text("TRADE_PIPELINE_EXCHANGE_API_KEY=k1\nTRADE_PIPELINE_EXCHANGE_API_SECRET=s1=\n")
    secrets = secrets_from({"TRADE_PIPELINE_EXCHANGE_API_KEY": "k2"}, home)
    assert secrets == Secrets(exchange_api_key="k2", exchange_api_secret="s1=")
    assert "k2" not in repr(secrets)
    assert "s1" not in str(secrets)


def test_a_secret_is_not_repeated_when_it_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(_file(tmp_path, "storage:\n  ledger_url: [hidden]\n"), environ={})
    assert "hidden" not in str(caught.value)


def test_every_setting_has_a_dotted_name() -> None:
    names = set(setting_names())
    assert {"mode", "market.symbols", "strategies.trend.adx_min", "runtime.ui_port"} <= names
