"""After a stack has traded: its secrets are where they belong and nowhere else, its sockets out of others' reach."""

from __future__ import annotations

import stat
from itertools import chain
from urllib.parse import urlsplit

import pytest

from trade_pipeline.settings.load import secrets_from
from trade_pipeline.settings.protect import secret_values
from trade_pipeline_tests.canary import Canaries
from trade_pipeline_tests.stack.running import RunningStack

pytestmark = pytest.mark.stack

ANSWERS = """query { runsOrError(limit: 20) { ... on Runs { results { runConfigYaml tags { key value }
    eventConnection { events { ... on MessageEvent { message } } } } } }
    instance { info } repositoriesOrError { ... on RepositoryConnection { nodes { allTopLevelResourceDetails {
    name configuredValues { key value } } } } } }"""


@pytest.fixture(scope="module")
def canaries(stack: RunningStack) -> Canaries:
    found = Canaries(secret_values(secrets_from({}, stack.home)))
    assert found.within(stack.home.secrets.read_bytes())
    return found


def test_no_file_row_or_command_line_holds_a_secret(stack: RunningStack, canaries: Canaries) -> None:
    assert canaries.in_files(stack.home) == []
    assert canaries.in_database(secrets_from({}, stack.home).ledger_url) == []
    assert canaries.in_command_lines() == []
    assert not canaries.within(stack.log.read_bytes())


def test_no_answer_of_the_ui_holds_a_secret(stack: RunningStack, canaries: Canaries) -> None:
    answer = str(stack.graphql(ANSWERS))
    assert "approved_targets" in answer
    assert not canaries.within(answer.encode())


def test_only_the_ui_and_the_exchange_listen_on_ports_and_only_on_the_loopback(stack: RunningStack) -> None:
    known = {urlsplit(str(stack.stack_file()[name])).port for name in ("ui_url", "exchange_url")}
    found = set()
    for process in chain.from_iterable(stack.processes().values()):
        found |= {item.laddr for item in process.net_connections("inet") if item.status == "LISTEN"}
    assert {address.port for address in found} == known
    assert {address.ip for address in found} == {"127.0.0.1"}
    assert stat.S_IMODE(stack.home.sockets.stat().st_mode) == 0o700
