"""The audit's pages on the UI's address: shown to who may see the UI, without a script that could use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from dagster._core.test_utils import instance_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget

from trade_pipeline_tests.runtime.ui_servers import guarded_ui

TOKEN = "a-token-of-a-test"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Not made yet: the first audit makes it."""
    return tmp_path / "audit" / "data_docs"


@pytest.fixture
def address(docs: Path) -> Iterator[str]:
    with (
        instance_for_test() as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
        guarded_ui(context, TOKEN, docs=docs) as port,
    ):
        yield f"http://127.0.0.1:{port}"


def test_the_pages_are_shown_as_soon_as_there_are_some_and_run_no_script(address: str, docs: Path) -> None:
    admitted = {"authorization": f"Bearer {TOKEN}"}
    none_yet = httpx.get(f"{address}/data_docs/", headers=admitted)
    assert none_yet.status_code == 404
    assert "01:30 UTC" in none_yet.text
    assert "/assets/lake_audit" in none_yet.text
    assert "default-src 'none'" in none_yet.headers["content-security-policy"]
    docs.mkdir(parents=True)
    assert "01:30 UTC" in httpx.get(f"{address}/data_docs/", headers=admitted).text
    (docs / "index.html").write_text("<h1>Audit</h1>")
    answer = httpx.get(f"{address}/data_docs/", headers=admitted)
    assert answer.text == "<h1>Audit</h1>"
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "script" not in policy
    missing = httpx.get(f"{address}/data_docs/nothing.html", headers=admitted)
    assert (missing.status_code, "01:30" in missing.text) == (404, False)
    assert "<html" in httpx.get(f"{address}/", headers=admitted).text


def test_who_may_not_see_the_ui_may_not_see_them_either(address: str, docs: Path) -> None:
    docs.mkdir(parents=True)
    (docs / "index.html").write_text("<h1>Audit</h1>")
    assert httpx.get(f"{address}/data_docs/").status_code == 401


def test_nothing_beside_them_can_be_reached(address: str, docs: Path) -> None:
    docs.mkdir(parents=True)
    (docs.parent / "secret").write_text("x")
    admitted = {"authorization": f"Bearer {TOKEN}"}
    for path in ("../secret", "%2e%2e/secret", "..%2fsecret"):
        assert httpx.get(f"{address}/data_docs/{path}", headers=admitted).text != "x"
