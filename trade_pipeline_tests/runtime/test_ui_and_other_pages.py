"""A page on another port, in a real browser, against our UI; the stock webserver beside it shows that it bites."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from dagster import AssetCheckKey, AssetKey, DagsterInstance
from dagster._core.test_utils import instance_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget

from trade_pipeline.runtime.ui_token import login_url
from trade_pipeline.settings.tokens import reader_token
from trade_pipeline_tests.runtime.hostile_page import ATTACKS, hostile_page
from trade_pipeline_tests.runtime.stacks import SMALL
from trade_pipeline_tests.runtime.ui_servers import guarded_ui, somebody_elses_page, stock_ui
from trade_pipeline_tests.stack.browser import chromium_path, open_page

pytestmark = pytest.mark.browser

TOKEN = "a-token-of-a-test"
FORGED = AssetCheckKey(AssetKey("history"), "forged")
NOT_LAUNCHED = {"run_launcher": {"module": "dagster._core.test_utils", "class": "MockedRunLauncher"}}


@dataclass(frozen=True)
class Uis:
    """Ports of UIs on one code location, each with an instance of its own."""

    instances: dict[str, DagsterInstance]
    ports: dict[str, int]


@contextmanager
def _context(read_only: bool = False) -> Iterator[tuple[DagsterInstance, WorkspaceProcessContext]]:
    target = ModuleTarget(SMALL, attribute=None, working_directory=None, location_name="trading")
    with (
        instance_for_test(overrides=NOT_LAUNCHED) as instance,
        WorkspaceProcessContext(instance, target, read_only=read_only) as context,
    ):
        yield instance, context


@pytest.fixture(scope="module")
def uis() -> Iterator[Uis]:
    chromium_path()
    found = Uis({}, {})
    with ExitStack() as open_things:
        for name, token in (("stock", ""), ("sim", ""), ("closed", TOKEN), ("reading", TOKEN)):
            instance, context = open_things.enter_context(_context(read_only=name == "reading"))
            found.instances[name] = instance
            ui = stock_ui(context) if name == "stock" else guarded_ui(context, token, name == "reading")
            found.ports[name] = open_things.enter_context(ui)
        yield found


def _attacked(uis: Uis, name: str, host: str, user_token: str = "") -> dict[str, str]:
    """What the page says of its attempts. With `user_token` the browser has been let in by our UI before."""
    target = f"{host}:{uis.ports[name]}"
    with somebody_elses_page(hostile_page(target)) as port, open_page() as page:
        if user_token:
            page.goto(login_url(f"http://{target}", user_token))
            page.get_by_text("Runs", exact=True).first.wait_for()
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_function("document.title === 'done'")
        results: dict[str, str] = page.evaluate("results")
        shown = [frame for frame in page.frames if frame.name == "shown"]
        results["frame"] = "shown" if shown and "initialization-data" in shown[0].content() else "empty"
        return results


def _launched(instance: DagsterInstance) -> set[str]:
    return {run.tags["attack"] for run in instance.get_runs() if "attack" in run.tags}


def _forged(instance: DagsterInstance) -> int:
    return len(instance.event_log_storage.get_asset_check_execution_history(FORGED, limit=5))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_stock_webserver_is_driven_by_any_page(uis: Uis, host: str) -> None:
    uis.instances["stock"].wipe()
    results = _attacked(uis, "stock", host)
    assert _launched(uis.instances["stock"]) == set(ATTACKS)
    assert _forged(uis.instances["stock"]) >= 1
    assert results["websocket"] == "open"
    assert results["frame"] == "shown"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize(("name", "token"), [("sim", ""), ("closed", TOKEN), ("reading", TOKEN)])
def test_ours_is_driven_by_no_other_page_even_when_the_user_was_let_in(
    uis: Uis, name: str, token: str, host: str
) -> None:
    results = _attacked(uis, name, host, token)
    assert _launched(uis.instances[name]) == set()
    assert _forged(uis.instances[name]) == 0
    assert results["websocket"] == "refused"
    assert results["frame"] == "empty"


def test_a_browser_with_the_token_is_let_in_and_the_address_keeps_no_token(uis: Uis) -> None:
    address = f"http://127.0.0.1:{uis.ports['closed']}"
    with open_page() as page:
        page.goto(f"{address}/runs")
        assert "asks for a token" in page.content()
        page.goto(login_url(address, TOKEN))
        page.get_by_text("Runs", exact=True).first.wait_for()
        assert TOKEN not in page.url
        assert page.evaluate("document.cookie") == ""
        (cookie,) = page.context.cookies()
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        assert TOKEN not in cookie["value"]
        asked = "fetch('/graphql', {method: 'POST', headers: {'content-type': 'application/json'},"
        assert page.evaluate(asked + ' body: \'{"query": "{ version }"}\'}).then(answer => answer.status)') == 200


def test_the_read_only_twin_shows_the_ui_to_who_may_only_read(uis: Uis) -> None:
    address = f"http://127.0.0.1:{uis.ports['reading']}"
    with open_page() as page:
        page.goto(login_url(address, reader_token(TOKEN)))
        page.get_by_text("Runs", exact=True).first.wait_for()
