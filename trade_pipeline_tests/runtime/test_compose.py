"""docker-compose.yml and the supervised processes are one list."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from trade_pipeline.runtime.environment import CODE_SOCKET, DEFINITIONS, REPOSITORY, RESEARCH_SOCKET
from trade_pipeline.runtime.processes import STORAGE, Process, in_start_order, stack_processes, storage_command
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings

HOME = Home(Path("/var/lib/trade-pipeline"))
STOCK = ("postgres", "redis")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    services: dict[str, Any] = tree["services"]
    return services


def _local() -> list[Process]:
    environment = {
        CODE_SOCKET: "/var/lib/trade-pipeline/run/code.sock",
        RESEARCH_SOCKET: "/var/lib/trade-pipeline/run/research.sock",
        DEFINITIONS: "trade_pipeline.definitions",
    }
    settings = Settings.model_validate({"runtime": {"ui_read_only_port": 3001}})
    return stack_processes(HOME, settings, environment)


def _portable(argv: tuple[str, ...]) -> list[str]:
    return [
        "python" if word == sys.executable else word.replace(str(REPOSITORY), "/app") if "/" in word else word
        for word in argv
    ]


def test_every_process_is_a_service_and_nothing_else_is(services: dict[str, Any]) -> None:
    assert set(services) == {process.name for process in _local()} | {STORAGE}


@pytest.mark.parametrize("process", [item for item in _local() if item.name not in STOCK], ids=lambda item: item.name)
def test_a_service_runs_the_same_command_and_stops_by_the_same_signal(
    services: dict[str, Any], process: Process
) -> None:
    service = services[process.name]
    extra = ["--address", "0.0.0.0"] if process.name.startswith("webserver") else []
    assert service["command"] == _portable(process.argv) + extra
    assert service.get("stop_signal", "SIGTERM") == f"SIG{process.stop_signal}"
    for name, value in process.environment.items():
        assert service["environment"][name] == value


@pytest.mark.parametrize("process", _local(), ids=lambda item: item.name)
def test_a_service_waits_for_what_its_process_waits_for(services: dict[str, Any], process: Process) -> None:
    assert set(process.after) <= set(services[process.name].get("depends_on", {}))


def test_the_step_that_makes_tables_is_the_same(services: dict[str, Any]) -> None:
    assert services[STORAGE]["command"] == [*_portable(storage_command()), "--prepare"]


def test_only_the_ui_is_published_and_only_to_this_host(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:3000:3000", "127.0.0.1:3001:3001"]


def test_the_read_only_twin_runs_only_where_it_is_asked_for(services: dict[str, Any]) -> None:
    assert services["webserver_read_only"]["profiles"] == ["read-only"]
    environment = {CODE_SOCKET: "/s", RESEARCH_SOCKET: "/r", DEFINITIONS: "m"}
    assert "webserver_read_only" not in {item.name for item in stack_processes(HOME, Settings(), environment)}


def test_processes_start_after_what_they_need() -> None:
    order = [process.name for process in in_start_order(list(reversed(_local())))]
    for process in _local():
        for needed in set(process.after) - {STORAGE}:
            assert order.index(needed) < order.index(process.name)


def test_a_database_and_a_broker_of_the_users_own_are_not_started() -> None:
    settings = Settings.model_validate(
        {"storage": {"ledger_url": "postgresql://h/d"}, "runtime": {"broker_url": "redis://h"}}
    )
    environment = {CODE_SOCKET: "/s", RESEARCH_SOCKET: "/r", DEFINITIONS: "m"}
    assert not {process.name for process in stack_processes(HOME, settings, environment)} & set(STOCK)
