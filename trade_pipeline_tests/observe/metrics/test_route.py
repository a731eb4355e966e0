"""The metrics on the UI's address: whom the guard lets in, the read-only twin, and the rules for other pages."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import httpx
import pytest
from dagster._core.test_utils import instance_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from starlette.routing import BaseRoute

import trade_pipeline.observe.metrics.exposition
from trade_pipeline.observe.metrics.exposition import PATH, Exposition, metrics_route
from trade_pipeline.observe.webserver import routes
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import write_settings_in_force
from trade_pipeline.settings.root import Settings
from trade_pipeline.settings.tokens import reader_token
from trade_pipeline_tests.observe.metrics.scraped import read
from trade_pipeline_tests.runtime.ui_servers import guarded_ui

TOKEN = "t0ken-of-a-test"


@contextmanager
def _behind_the_guard(beside: list[BaseRoute], token: str = "", *, reading: bool = False) -> Iterator[str]:
    with (
        instance_for_test() as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget(), read_only=reading) as context,
        guarded_ui(context, token, reading, beside=beside) as port,
    ):
        yield f"http://127.0.0.1:{port}{PATH}"


@contextmanager
def _served(folder: Path, ledger_url: str, token: str = "", *, reading: bool = False) -> Iterator[str]:
    exposition = Exposition(Home.at(folder), Settings(), {"TRADE_PIPELINE_LEDGER_URL": ledger_url})
    with _behind_the_guard([metrics_route(exposition)], token, reading=reading) as address:
        yield address


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def closed(tmp_path: Path, ledger_url: str) -> Iterator[str]:
    with _served(tmp_path, ledger_url, TOKEN) as address:
        yield address


def test_without_the_token_nothing_is_told(closed: str) -> None:
    for headers in ({}, _bearer("x"), _bearer(reader_token(TOKEN))):
        answer = httpx.get(closed, headers=headers)
        assert answer.status_code == 401
        assert "trade_pipeline_" not in answer.text


def test_a_scraper_sends_the_token_as_a_header_and_is_answered_in_its_format(closed: str) -> None:
    answer = httpx.get(closed, headers=_bearer(TOKEN))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert read(answer.text).one("positions") == 0
    modern = httpx.get(closed, headers={**_bearer(TOKEN), "accept": "application/openmetrics-text; version=1.0.0"})
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")


def test_the_token_is_no_way_around_the_rules_for_pages_and_names(closed: str) -> None:
    for refused in (
        {"origin": "http://evil.example"},
        {"host": "evil.example"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"},
    ):
        assert httpx.get(closed, headers={**_bearer(TOKEN), **refused}).status_code == 403
    assert httpx.post(closed, headers=_bearer(TOKEN)).status_code == 405


def test_where_the_ui_asks_for_no_token_the_process_of_the_webserver_tells_them_without(
    tmp_path: Path, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home.at(tmp_path)
    write_settings_in_force(home, Settings())
    monkeypatch.setenv("TRADE_PIPELINE_LEDGER_URL", ledger_url)
    with _behind_the_guard(routes(home)) as address:
        found = read(httpx.get(address).text)
        assert "<html" in httpx.get(address.removesuffix(PATH)).text
    assert found.one("breaker_state", scope="account", state="CLOSED") == 1
    assert not any(found.labelled("collect_failed").values())


def test_a_scrape_behind_one_that_hangs_is_refused_and_takes_no_thread_for_long(
    tmp_path: Path, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exposition = Exposition(Home.at(tmp_path), Settings(), {"TRADE_PIPELINE_LEDGER_URL": ledger_url})
    monkeypatch.setattr(trade_pipeline.observe.metrics.exposition, "TURN_S", 0.01)
    with _behind_the_guard([metrics_route(exposition)]) as address:
        with exposition.turn:
            answer = httpx.get(address)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert httpx.get(address).status_code == 200


def test_of_many_scrapes_at_once_one_waits_and_the_others_are_refused_at_once(
    tmp_path: Path, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trade_pipeline.observe.metrics.exposition, "TURN_S", 60.0)
    exposition = Exposition(Home.at(tmp_path), Settings(), {"TRADE_PIPELINE_LEDGER_URL": ledger_url})
    with ThreadPoolExecutor(8) as pool:
        with exposition.turn:
            asked = [pool.submit(exposition.text) for _ in range(8)]
            refused = list(islice(as_completed(asked, timeout=20), 6))
            assert [future.result() for future in refused] == [None] * 6
        answered = [future.result() for future in asked if future not in refused]
    assert [told is not None for told in answered] == [True, True]


def test_an_address_that_is_none_is_told_and_not_raised(tmp_path: Path) -> None:
    with _served(tmp_path, "no address") as address:
        answer = httpx.get(address)
    assert answer.status_code == 503
    assert "ledger_url" in answer.text


def test_the_read_only_twin_tells_them_to_who_may_only_look(tmp_path: Path, ledger_url: str) -> None:
    with _served(tmp_path, ledger_url, TOKEN, reading=True) as address:
        assert httpx.get(address).status_code == 401
        for token in (TOKEN, reader_token(TOKEN)):
            assert read(httpx.get(address, headers=_bearer(token)).text).one("positions") == 0


def test_a_database_that_is_away_is_told_with_200(tmp_path: Path) -> None:
    with _served(tmp_path, f"postgresql+psycopg2://a:b@/x?host={tmp_path}") as address:
        answer = httpx.get(address)
        assert answer.status_code == 200
        assert read(answer.text).one("collect_failed", part="positions") == 1
