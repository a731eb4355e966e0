"""Supervisor 4.3 as a child: its configuration, and its XML-RPC interface on a Unix socket.

It restarts what dies, with pauses that grow. In which order things start and stop is decided in `stack`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from trade_pipeline.errors import ConfigurationError
from trade_pipeline.runtime.environment import PROCESS, supervisor_socket, working_folder
from trade_pipeline.runtime.processes import Process
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import write_private
from trade_pipeline.settings.runtime import RuntimeSettings

_MEGABYTE = 1024 * 1024
_RETRIES = 1_000_000  # restart for as long as the stack is wanted
_START_S = 15.0
_BEGAN = "supervisord started with pid"


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What the supervisor says of one process. `started_at` in seconds since the epoch; `process_id` 0: not running."""

    name: str
    state: str
    process_id: int
    started_at: int
    description: str

    @property
    def alive(self) -> bool:
        return self.process_id > 0 and self.state in ("STARTING", "RUNNING")


def configuration(home: Home, processes: list[Process], runtime: RuntimeSettings) -> str:
    """The text of supervisord.conf. Secrets are not in it: they come with the supervisor's environment."""
    head = f"""\
; Written by trade-pipeline at every start.
[supervisord]
nodaemon=true
logfile={_escaped(str(home.logs / "supervisor.log"))}
logfile_maxbytes={runtime.process_log_mb * _MEGABYTE}
logfile_backups={runtime.process_logs_kept}
pidfile={_escaped(str(working_folder(home) / "supervisord.pid"))}
childlogdir={_escaped(str(home.logs))}
silent=true
umask=077
minfds=4096

[unix_http_server]
file={_escaped(str(supervisor_socket(home)))}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
    return "\n".join([head, *(_section(home, process, runtime) for process in processes)])


def _section(home: Home, process: Process, runtime: RuntimeSettings) -> str:
    variables = {**process.environment, PROCESS: process.name}
    environment = ",".join(f'{name}="{_escaped(value)}"' for name, value in variables.items())
    return f"""\
[program:{process.name}]
command={_escaped(shlex.join(process.argv))}
directory={_escaped(str(working_folder(home)))}
environment={environment}
autostart=false
autorestart=true
startsecs={process.steady_s}
startretries={_RETRIES}
stopsignal={process.stop_signal}
stopwaitsecs={process.stop_wait_s}
killasgroup=true
redirect_stderr=true
stdout_logfile={_escaped(str(home.logs / f"{process.name}.log"))}
stdout_logfile_maxbytes={runtime.process_log_mb * _MEGABYTE}
stdout_logfile_backups={runtime.process_logs_kept}
"""


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


class Supervisor:
    """One supervisord and a connection to it. Methods raise OSError while it is not there."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, processes: list[Process], environment: Mapping[str, str], runtime: RuntimeSettings) -> None:
        """Starts supervisord with no program running; ConfigurationError with its words if it does not answer."""
        path = working_folder(self._home) / "supervisord.conf"
        write_private(path, configuration(self._home, processes, runtime))
        supervisor_socket(self._home).unlink(missing_ok=True)
        with (self._home.logs / "supervisord.out").open("wb") as output:
            self._child = subprocess.Popen(  # noqa: S603  (our own argv, no shell)
                [sys.executable, "-m", "trade_pipeline.runtime.supervisord", "-n", "-c", str(path)],
                env=dict(environment),
                cwd=working_folder(self._home),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A session of its own: Ctrl-C in the terminal is for `up`, which stops things in order.
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while not self.answers():
            if self._child.poll() is not None or time.monotonic() > deadline:
                words = (self._home.logs / "supervisord.out").read_text(errors="replace").strip()
                self.kill()
                raise ConfigurationError(
                    f"the process supervisor does not start: {words[-400:] or 'no message'}",
                    thing=str(path),
                    repair="Its log is supervisor.log in the home's logs folder.",
                )
            time.sleep(0.02)

    def answers(self) -> bool:
        try:
            self._call("getPID")
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def exited(self) -> bool:
        """Whether the supervisord that this object started is gone."""
        return self._child is not None and self._child.poll() is not None

    def process_id(self) -> int:
        return int(self._call("getPID"))

    def states(self) -> dict[str, ProcessState]:
        rows = cast("list[dict[str, Any]]", self._call("getAllProcessInfo"))
        return {
            row["name"]: ProcessState(
                row["name"],
                row["statename"],
                int(row["pid"]),
                int(row["start"]),
                str(row["description"]),
            )
            for row in rows
        }

    def last_exit_status(self, name: str) -> int | None:
        """How the process ended when it last did, by the supervisor's log: its answers forget it for quick exits."""
        try:
            text = (self._home.logs / "supervisor.log").read_text(errors="replace").rpartition(_BEGAN)[2]
        except OSError:
            return None
        found = re.findall(rf"exited: {re.escape(name)} \(exit status (\d+);", text)
        return int(found[-1]) if found else None

    def spawned(self) -> dict[str, int]:
        """How often each process was started since this supervisor began, by its log."""
        try:
            text = (self._home.logs / "supervisor.log").read_text(errors="replace").rpartition(_BEGAN)[2]
        except OSError:
            return {}
        return dict(Counter(re.findall(r"spawned: '([^']+)'", text)))

    def start_process(self, name: str) -> None:
        with contextlib.suppress(xmlrpc.client.Fault):  # already started: what is wanted
            self._call("startProcess", name, False)

    def stop_process(self, name: str) -> None:
        """Sends the stop signal and returns; the kill follows after the process's stop wait."""
        with contextlib.suppress(xmlrpc.client.Fault):  # not running: what is wanted
            self._call("stopProcess", name, False)

    def shutdown(self, wait_s: float) -> None:
        """Ends supervisord itself, which stops what still runs, and waits for it."""
        process_id = None
        with contextlib.suppress(OSError, xmlrpc.client.Error):
            process_id = self.process_id()
            self._call("shutdown")
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            gone = self._child.poll() is not None if self._child else not (process_id and _exists(process_id))
            if gone:
                break
            time.sleep(0.05)
        self.kill()

    def kill(self) -> None:
        if self._child and self._child.poll() is None:
            self._child.kill()
            self._child.wait()

    def _call(self, method: str, *arguments: object) -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(serverurl=f"unix://{supervisor_socket(self._home)}")
        # The address is not used: the transport goes to the socket.
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport, allow_none=True) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)


def _exists(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
