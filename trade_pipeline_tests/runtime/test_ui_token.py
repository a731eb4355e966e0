"""Who gets in where a token is asked for, and what the read-only twin does with mutations."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from dagster._core.test_utils import instance_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget

from trade_pipeline.runtime.ui_token import Doorkeeper, login_url
from trade_pipeline.settings.tokens import reader_token
from trade_pipeline_tests.runtime.ui_servers import guarded_ui

TOKEN = "t0ken-of-a-test"
ASK = {"query": "{ version }"}
CHANGE = {"query": "mutation { setNuxSeen }"}


@pytest.fixture(scope="module")
def closed() -> Iterator[str]:
    with instance_for_test() as instance, WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context:
        with guarded_ui(context, TOKEN) as port:
            yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def reading() -> Iterator[str]:
    with (
        instance_for_test() as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget(), read_only=True) as context,
        guarded_ui(context, TOKEN, reading=True) as port,
    ):
        yield f"http://127.0.0.1:{port}"


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", ["/", "/server_info", "/runs", "/logs/x.out", "/download_debug/x"])
def test_nothing_is_shown_without_the_token(closed: str, path: str) -> None:
    answer = httpx.get(closed + path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert httpx.post(f"{closed}/graphql", json=ASK).status_code == 401


@pytest.mark.parametrize("shown", ["x", TOKEN[:-1], TOKEN + "x", reader_token(TOKEN), TOKEN.upper()])
def test_what_is_nearly_the_token_is_refused(closed: str, shown: str) -> None:
    assert httpx.post(f"{closed}/graphql", json=ASK, headers=_bearer(shown)).status_code == 401
    assert httpx.get(login_url(closed, shown)).status_code == 401


def test_a_program_sends_the_token_as_a_header(closed: str) -> None:
    assert httpx.post(f"{closed}/graphql", json=ASK, headers=_bearer(TOKEN)).status_code == 200


def test_the_token_is_no_way_around_the_rules_for_pages(closed: str) -> None:
    headers = {**_bearer(TOKEN), "origin": "http://evil.example"}
    assert httpx.post(f"{closed}/graphql", json=ASK, headers=headers).status_code == 403


def test_the_first_visit_sets_a_cookie_that_holds_another_value_than_the_token(closed: str) -> None:
    with httpx.Client() as browser:
        first = browser.get(login_url(closed, TOKEN))
        assert (first.status_code, first.headers["location"]) == (303, "/")
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert TOKEN not in cookie
        assert browser.get(closed).status_code == 200


def test_a_cookie_of_one_port_opens_no_other() -> None:
    one, other = Doorkeeper((TOKEN,), 3000), Doorkeeper((TOKEN,), 3001)
    value = one.cookie(TOKEN).split(";")[0]
    assert one.admits({"cookie": [value]})
    assert not other.admits({"cookie": [value]})
    assert not other.admits({"cookie": [value.replace("3000", "3001")]})
    assert TOKEN not in repr(one)


def test_the_read_only_twin_refuses_every_mutation_even_with_the_full_token(reading: str) -> None:
    for token in (TOKEN, reader_token(TOKEN)):
        assert "data" in httpx.post(f"{reading}/graphql", json=ASK, headers=_bearer(token)).json()
        answer = httpx.post(f"{reading}/graphql", json=CHANGE, headers=_bearer(token)).json()
        assert "read-only" in answer["errors"][0]["message"]


def test_the_full_ui_takes_the_same_mutation(closed: str) -> None:
    assert "errors" not in httpx.post(f"{closed}/graphql", json=CHANGE, headers=_bearer(TOKEN)).json()
