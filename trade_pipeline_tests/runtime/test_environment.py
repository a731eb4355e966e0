"""Keys are made once, kept, never shown; what is given wins."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from trade_pipeline.errors import ConfigurationError, HomeInUse
from trade_pipeline.runtime.environment import make_secrets, prepare_home, stack_environment
from trade_pipeline.runtime.home_lock import HomeLock, holder_of
from trade_pipeline.runtime.readiness import has_said_ready, say_ready
from trade_pipeline.runtime.stop import take_stop_request
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import load_settings, secrets_from
from trade_pipeline.settings.root import Settings


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home.at(tmp_path / "home")
    prepare_home(found)
    return found


def test_the_second_start_has_the_keys_of_the_first(home: Home) -> None:
    first = make_secrets(home, Settings(), {})
    again = make_secrets(home, Settings(), {})
    assert again == replace(first, ui_token=again.ui_token)
    assert secrets_from({}, home) == again
    assert len(first.exchange_api_secret) == 64
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o600


def test_the_ui_has_a_new_token_at_every_start(home: Home) -> None:
    first, second = (make_secrets(home, Settings(), {}).ui_token for _ in range(2))
    assert first != second
    assert len(second) >= 43
    assert make_secrets(home, Settings(), {"TRADE_PIPELINE_UI_TOKEN": "given"}).ui_token == "given"


def test_a_key_from_the_environment_wins(home: Home) -> None:
    made = make_secrets(home, Settings(), {"TRADE_PIPELINE_EXCHANGE_API_KEY": "mine"})
    assert made.exchange_api_key == "mine"


def test_a_database_of_the_user_s_own_is_used_with_the_driver_that_dagster_needs(home: Home) -> None:
    settings = load_settings(None, overrides={"storage.ledger_url": "postgresql://me:word@host/book"}, environ={})
    assert make_secrets(home, settings, {}).ledger_url == "postgresql+psycopg2://me:word@host/book"


def test_every_process_learns_where_its_stack_is(home: Home) -> None:
    environment = stack_environment(home, Settings(), make_secrets(home, Settings(), {}), {})
    assert environment["TRADE_PIPELINE_HOME"] == str(home.root)
    assert (Path(environment["DAGSTER_HOME"]) / "dagster.yaml").exists()
    assert all(environment.values())


def test_folders_are_closed_to_others(home: Home) -> None:
    for folder in (home.root, home.sockets, home.logs, home.control):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    found = Home.at(tmp_path / "home")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    found.sockets.symlink_to(elsewhere)
    try:
        with pytest.raises(ConfigurationError, match="belongs to somebody else"):
            prepare_home(found)
    finally:
        found.sockets.unlink()


def test_one_holder_per_home(home: Home) -> None:
    with HomeLock(home):
        assert holder_of(home) is not None
        with pytest.raises(HomeInUse):
            HomeLock(home).acquire()
    assert holder_of(home) is None


def test_the_ready_file_of_a_predecessor_counts_for_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("TRADE_PIPELINE_PROCESS", "worker")
    say_ready(home)
    assert has_said_ready(home, "worker", os.getpid())
    assert not has_said_ready(home, "worker", os.getpid() + 1)


def test_a_stop_request_is_taken_once_and_only_when_it_is_one(home: Home) -> None:
    request = home.control / "stop.json"
    request.write_text('{"policy": "flatten"}')
    assert take_stop_request(home) == "flatten"
    assert take_stop_request(home) is None
    request.write_text('{"policy": "sell the house"}')
    assert take_stop_request(home) is None
