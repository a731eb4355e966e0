"""A step with a bug shows the exchange's secret in every way it can: nowhere is it kept, and what it said is."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from trade_pipeline.runtime.health import Surroundings
from trade_pipeline.runtime.stack import Stack
from trade_pipeline.settings.load import secrets_from
from trade_pipeline.settings.protect import secret_values
from trade_pipeline_tests.canary import Canaries
from trade_pipeline_tests.runtime.stacks import awaited

pytestmark = pytest.mark.stack

LAUNCH = """mutation { launchRun(executionParams: { runConfigData: "{}", selector: {
    repositoryLocationName: "trading", repositoryName: "__repository__", jobName: "leaky"} })
    { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
LOGS = """query Logs($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { __typename
    ... on MessageEvent { message stepKey eventType }
    ... on ExecutionStepFailureEvent { error { message stack causes { message } errorChain { error { message } } } }
    ... on LogsCapturedEvent { fileKey }
} } } runOrError(runId: $id) { ... on Run { status } } }"""


class Leaking:
    """A stack in which the run with the bug has ended."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.home = surroundings.home
        self.secrets = secrets_from({}, self.home)
        self.canaries = Canaries(secret_values(self.secrets))
        self._url = f"http://127.0.0.1:{surroundings.settings.runtime.ui_port}"
        self.run_id = self.ask(LAUNCH)["launchRun"]["run"]["runId"]
        awaited(lambda: self.logs()["runOrError"]["status"] == "FAILURE", 60, "the run fails")

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        answer = httpx.post(f"{self._url}/graphql", json={"query": query, "variables": variables}, timeout=30)
        answer.raise_for_status()
        data: dict[str, Any] = answer.json()["data"]
        return data

    def logs(self) -> dict[str, Any]:
        return self.ask(LOGS, id=self.run_id)

    def debug_file(self) -> bytes:
        import gzip

        return gzip.decompress(httpx.get(f"{self._url}/download_debug/{self.run_id}", timeout=30).content)


@pytest.fixture(scope="module")
def leaking(running: tuple[Stack, Surroundings]) -> Leaking:
    return Leaking(running[1])


def test_everything_that_the_step_said_is_there_without_the_secret(leaking: Leaking) -> None:
    said = json.dumps(leaking.logs())
    for how in ("a log", "an error", "a cause"):
        assert f"leaked by {how}" in said
    assert "***" in said
    assert not leaking.canaries.within(said.encode())


def test_the_worker_s_log_keeps_what_was_printed_without_the_secret(leaking: Leaking) -> None:
    text = (leaking.home.logs / "worker_decide.log").read_text()
    for how in ("print", "a library of C", "another logger"):
        assert f"leaked by {how}" in text


def test_no_file_of_the_home_but_one_holds_a_secret(leaking: Leaking) -> None:
    assert leaking.canaries.within(leaking.home.secrets.read_bytes())
    assert leaking.canaries.in_files(leaking.home) == []


def test_no_row_of_the_ledger_or_of_dagster_holds_a_secret(leaking: Leaking) -> None:
    assert leaking.canaries.in_database(leaking.secrets.ledger_url) == []


def test_no_command_line_holds_a_secret(leaking: Leaking) -> None:
    assert leaking.canaries.in_command_lines() == []


def test_the_debug_file_that_the_ui_offers_holds_no_secret(leaking: Leaking) -> None:
    body = leaking.debug_file()
    assert b"leaked by" in body
    assert not leaking.canaries.within(body)
