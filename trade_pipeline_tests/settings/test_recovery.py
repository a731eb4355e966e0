"""The table of the error policy refuses what would send twice, wait for too long or mean nothing."""

from __future__ import annotations

from typing import Any

import pytest

from trade_pipeline.errors import InsufficientFunds, RateLimited, SettingsError, VenueError, VenueUnavailable
from trade_pipeline.settings.load import ENVIRONMENT_PREFIX, load_settings
from trade_pipeline.settings.recovery import DEFAULTS, RecoveryRule, RecoverySettings, choices_of, venue_errors
from trade_pipeline.settings.root import Settings

RETRY = {"action": "retry", "attempts_max": 3, "pause_s": 0.1}


def table(**rows: dict[str, Any]) -> RecoverySettings:
    return RecoverySettings.model_validate({"table": rows})


def test_every_default_row_is_one_that_is_allowed() -> None:
    kinds = {kind.__name__: kind for kind in venue_errors()}
    for name, rule in DEFAULTS.items():
        assert rule.action in choices_of(kinds[name]), name


def test_a_row_that_is_left_out_stays_and_a_row_that_is_named_keeps_what_it_does_not_name() -> None:
    rows = table(RateLimited={"attempts_max": 4}, VenueUnavailable={"action": "halt"}).table
    assert (rows["RateLimited"].attempts_max, rows["RateLimited"].action, rows["RateLimited"].then) == (
        4,
        "retry",
        "halt",
    )
    assert rows["VenueUnavailable"] == RecoveryRule(action="halt")
    assert rows["ClockSkew"] == DEFAULTS["ClockSkew"]


def test_an_error_without_a_row_has_its_parents() -> None:
    class Unheard(InsufficientFunds):
        pass

    class Strange(VenueError):
        pass

    settings = RecoverySettings()
    assert settings.rule_for(Unheard("x"))[0] == "InsufficientFunds"
    assert settings.rule_for(Strange("x"))[1].action == "resolve"
    assert settings.rule_for(ValueError("x"))[1].action == "resolve"
    assert settings.rule_for(RateLimited("x"))[0] == "RateLimited"
    assert settings.rule_for(VenueUnavailable("x"))[0] == "VenueUnavailable"


@pytest.mark.parametrize("name", ["OutcomeUnknown", "MalformedAnswer", "OrderNotFound", "VenueError"])
@pytest.mark.parametrize("action", ["retry", "skip", "reduce", "fallback", "exit", "halt"])
def test_what_may_have_been_executed_is_only_ever_looked_up(name: str, action: str) -> None:
    row = RETRY if action == "retry" else {"action": action}
    with pytest.raises(ValueError, match="it may have been executed"):
        table(**{name: row})


@pytest.mark.parametrize(
    "name", ["OrderRefused", "InsufficientFunds", "SymbolUnknown", "Banned", "AuthenticationFailed"]
)
def test_what_would_be_refused_again_is_not_repeated_as_it_is(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be one of"):
        table(**{name: RETRY})


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"action": "pray"}, "pray"),
        ({"action": "retry", "attempts_max": 1}, "2 at least"),
        ({"action": "retry", "attempts_max": 6}, "attempts_max"),
        ({"action": "retry", "attempts_max": 3, "pause_s": 1.5}, "the lease would not last"),
        ({"action": "retry", "attempts_max": 3, "pause_s": float("nan")}, "pause_s"),
        ({"action": "skip", "attempts_max": 2}, "belong to retry"),
        ({"action": "retry", "attempts_max": 2, "then": "retry"}, "then"),
        ({"action": "retry", "tries": 2}, "tries"),
        ("retry", "VenueUnavailable"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused(row: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        table(VenueUnavailable=row)


def test_an_unknown_error_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(ValueError, match=r"'Timeout' is no error of an exchange; there are .*RateLimited"):
        table(Timeout=RETRY)


def test_a_table_in_the_environment_is_refused_by_name_and_reason() -> None:
    variable = {f"{ENVIRONMENT_PREFIX}RECOVERY__TABLE": "{OutcomeUnknown: {action: retry, attempts_max: 2}}"}
    with pytest.raises(SettingsError, match="OutcomeUnknown must be one of resolve"):
        load_settings(None, environ=variable)


def test_the_table_is_no_part_of_what_a_decision_depends_on() -> None:
    other = Settings(recovery=table(VenueUnavailable={"action": "halt"}))
    assert other.decision_hash == Settings().decision_hash
