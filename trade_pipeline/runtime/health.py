"""Is a process ready? One question per kind of process, each answered within a second and without Dagster's imports."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from trade_pipeline.runtime.environment import CODE_SOCKET, RESEARCH_SOCKET, broker_socket
from trade_pipeline.runtime.readiness import has_said_ready
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import VARIABLES
from trade_pipeline.settings.root import Settings

ANSWER_S = 1.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a health check needs to know of the stack. Holds secrets."""

    home: Home
    settings: Settings
    environment: Mapping[str, str]


def is_ready(kind: str, name: str, process_id: int, stack: Surroundings) -> bool:
    """Whether process `name` (alive, with this id) does its work; `kind` is `Process.ready`."""
    questions: dict[str, Callable[[], bool]] = {
        "running": lambda: True,
        "said": lambda: has_said_ready(stack.home, name, process_id),
        "postgres": lambda: postgres_answers(stack.environment["TRADE_PIPELINE_LEDGER_URL"]),
        "redis": lambda: redis_answers(broker_socket(stack.home)),
        "exchange": lambda: http_answers(f"http://127.0.0.1:{stack.settings.exchange.port}/api/v3/ping"),
        "webserver": lambda: ui_answers(stack, stack.settings.runtime.ui_port),
        "webserver_read_only": lambda: ui_answers(stack, stack.settings.runtime.ui_read_only_port),
        "code_server": lambda: code_server_answers(stack.environment[CODE_SOCKET]),
        "code_server_research": lambda: code_server_answers(stack.environment[RESEARCH_SOCKET]),
    }
    return questions[kind]()


def postgres_answers(url: str) -> bool:
    """Whether the server accepts connections, whichever of its databases exist already."""
    import psycopg2
    from sqlalchemy import make_url

    parsed = make_url(url).set(drivername="postgresql", database="postgres")
    try:
        psycopg2.connect(parsed.render_as_string(hide_password=False), connect_timeout=1).close()
    except psycopg2.OperationalError:
        return False
    return True


def redis_answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def ui_answers(stack: Surroundings, port: int | None) -> bool:
    token = stack.environment.get(VARIABLES["ui_token"], "")
    return http_answers(f"http://127.0.0.1:{port}/server_info", {"Authorization": f"Bearer {token}"} if token else {})


def http_answers(url: str, headers: Mapping[str, str] = MappingProxyType({})) -> bool:
    try:
        request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310  (our own address, http)
        # The address is our own, on the loopback; an environment's proxy must not be asked for it.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=ANSWER_S) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def code_server_answers(path: str) -> bool:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    if not Path(path).exists():
        return False
    with grpc.insecure_channel(f"unix:{path}") as channel:
        try:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(health_pb2.HealthCheckRequest(service="DagsterApi"), timeout=ANSWER_S)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def http_json(url: str) -> object:
    """The JSON that a loopback address answers with; None when it does not answer."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=ANSWER_S) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None
