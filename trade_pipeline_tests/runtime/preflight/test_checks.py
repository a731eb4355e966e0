"""Each check of the preflight, passed and failed: what is not known never passes, a failure names its repair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trade_pipeline.commands.preflight import table
from trade_pipeline.runtime.preflight.checks import CHECKS, KEYS_REPAIR, judge, passed
from trade_pipeline.runtime.preflight.facts import Facts, Finding, KeyFacts
from trade_pipeline.runtime.preflight.risky import RULES, risks, value_of
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings

CAREFUL: Mapping[str, Any] = {
    "mode": "live",
    "market": {"symbols": ["BTC/USDT"]},
    "execution": {"installation_prefix": "a1b2"},
}
GOOD_KEY = KeyFacts(can_withdraw=False, can_trade=True, ip_restricted=True, source="its own word")


def _settings(**sections: Mapping[str, object]) -> Settings:
    tree = {name: {**CAREFUL.get(name, {}), **values} for name, values in sections.items()}
    return Settings.model_validate({**CAREFUL, **tree})


def _facts(**changes: Any) -> Facts:
    good = Facts(
        settings=_settings(),
        keys_present=True,
        exchange_url=None,
        key=GOOD_KEY,
        clock_offset_ms=20.0,
        clock_uncertainty_ms=30.0,
        account_kind="spot",
        foreign_orders=0,
    )
    return replace(good, **changes)


def _failed(facts: Facts) -> Finding:
    """The one check that failed."""
    (finding,) = [item for item in judge(facts) if not item.passed]
    assert finding.repair
    return finding


def test_a_stack_that_earned_it_passes_every_check() -> None:
    findings = judge(_facts())
    assert passed(findings)
    assert len(findings) == len(CHECKS)
    assert {item.repair for item in findings} == {""}


@pytest.mark.parametrize(
    ("changes", "check", "found"),
    [
        ({"keys_present": False}, "trading keys are set", "missing"),
        ({"exchange_url": "http://127.0.0.1:18080"}, "orders go to the exchange itself", "18080"),
        ({"home_mode": "sim"}, "the home has traded in no other mode", "mode sim"),
        ({"key": None}, None, "not known"),
        ({"key": replace(GOOD_KEY, can_withdraw=True)}, "the key cannot withdraw", "it can withdraw"),
        ({"key": replace(GOOD_KEY, can_withdraw=None)}, "the key cannot withdraw", "counts as yes"),
        ({"key": replace(GOOD_KEY, can_trade=False)}, "the key can trade", "cannot trade"),
        ({"clock_offset_ms": None}, "the clock is in step", "not known"),
        ({"clock_offset_ms": -600.0}, "the clock is in step", "-600 ms"),
        ({"clock_offset_ms": 300.0, "clock_uncertainty_ms": 400.0}, "the clock is in step", "known to 400 ms"),
        ({"account_kind": None}, "the account is of the expected kind", "not known"),
        ({"account_kind": "margin"}, "the account is of the expected kind", "margin, expected spot"),
        ({"lease_holder": "guard:/other"}, "no second instance", "guard:/other"),
        ({"foreign_orders": None}, "no second instance", "not known"),
        ({"foreign_orders": 3}, "no second instance", "3 open orders"),
        ({"troubles": {"lease": "the database is away"}}, "no second instance", "the database is away"),
        ({"confirmed": frozenset({"portfolio.risk"})}, "risky settings are confirmed", "portfolio.risk"),
    ],
)
def test_what_is_wrong_or_not_known_is_refused_by_name(changes: dict[str, Any], check: str | None, found: str) -> None:
    failed = [item for item in judge(_facts(**changes)) if not item.passed]
    assert all(item.repair for item in failed)
    assert found in failed[0].found
    assert check in (None, failed[0].check)
    assert len(failed) == (2 if check is None else 1)


def test_a_risky_value_is_refused_until_it_is_confirmed_by_its_name() -> None:
    settings = _settings(portfolio={"risk_per_position": "0.05", "total_weight_max": "0.95"})
    finding = _failed(_facts(settings=settings))
    assert "portfolio.risk_per_position = 0.05" in finding.found
    assert "--confirm portfolio.total_weight_max" in finding.repair
    one = frozenset({"portfolio.risk_per_position"})
    assert "risk_per_position" not in _failed(_facts(settings=settings, confirmed=one)).found
    assert passed(judge(_facts(settings=settings, confirmed=one | {"portfolio.total_weight_max"})))


def test_defaults_that_suit_a_simulation_are_risky_in_live() -> None:
    names = {risk.setting for risk in risks(Settings(mode="live"))}
    assert names == {"market.symbols", "execution.installation_prefix"}


def test_every_rule_names_a_setting_that_exists() -> None:
    assert all(value_of(Settings(), rule.setting) is not None for rule in RULES)


@pytest.mark.parametrize(
    ("runtime", "passes"),
    [
        ({}, True),
        ({"ui_address": "0.0.0.0"}, False),
        ({"ui_address": "0.0.0.0", "ui_names": ["ui.example.com"]}, True),
    ],
)
def test_the_ui_is_on_the_loopback_or_where_somebody_said(runtime: Mapping[str, object], passes: bool) -> None:
    assert passed(judge(_facts(settings=_settings(runtime=runtime)))) is passes


def test_a_ui_without_a_token_is_not_closed() -> None:
    assert _failed(_facts(settings=Settings.model_validate({**CAREFUL, "mode": "sim"}))).check == "the UI is closed"


def test_the_table_has_a_line_for_each_check() -> None:
    assert table(judge(_facts())).row_count == len(CHECKS)


def test_the_home_of_a_simulation_is_known_by_its_settings(tmp_path: Path) -> None:
    from trade_pipeline.runtime.preflight.run import home_mode
    from trade_pipeline.settings.load import write_settings_in_force

    home = Home.at(tmp_path)
    assert home_mode(home) is None
    write_settings_in_force(home, Settings())
    assert home_mode(home) == "sim"


def test_without_keys_the_repair_of_what_only_the_exchange_can_say_is_to_set_them() -> None:
    names = ("key", "clock", "account", "orders")
    bare = _facts(
        keys_present=False,
        key=None,
        clock_offset_ms=None,
        account_kind=None,
        foreign_orders=None,
        troubles=dict.fromkeys(names, "there is no key to ask with"),
    )
    failed = [item for item in judge(bare) if not item.passed]
    assert len(failed) == 6
    assert "TRADE_PIPELINE_EXCHANGE_API_KEY" in failed[0].repair
    assert {item.repair for item in failed[1:]} == {KEYS_REPAIR}
    lease = [
        item for item in judge(replace(bare, troubles={"lease": "no answer"})) if item.check == "no second instance"
    ]
    assert [item.repair for item in lease] == ["Start the ledger's database."]
