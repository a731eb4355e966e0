"""The supervisor's configuration survives awkward names and holds no secret."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

from trade_pipeline.runtime.processes import Process, stack_processes
from trade_pipeline.runtime.stack import last_words
from trade_pipeline.runtime.supervise import Supervisor, configuration
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline.settings.runtime import RuntimeSettings

PERCENT = "100%"


def _read(home: Home, processes: list[Process]) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(configuration(home, processes, RuntimeSettings(process_log_mb=7, process_logs_kept=2)))
    return parser


def test_arguments_with_spaces_and_percent_signs_arrive_whole(tmp_path: Path) -> None:
    process = Process("odd", ("/bin/echo", "two words", PERCENT), environment={"ODD": PERCENT})
    section = _read(Home.at(tmp_path), [process])["program:odd"]
    assert shlex.split(section["command"].replace("%%", "%")) == list(process.argv)
    assert section["environment"] == 'ODD="100%%",TRADE_PIPELINE_PROCESS="odd"'


def test_every_process_restarts_for_ever_and_logs_with_a_bound(tmp_path: Path) -> None:
    environment = {
        "TRADE_PIPELINE_CODE_SOCKET": "/s",
        "TRADE_PIPELINE_RESEARCH_SOCKET": "/r",
        "TRADE_PIPELINE_DEFINITIONS": "trade_pipeline.definitions",
        "TRADE_PIPELINE_EXCHANGE_API_SECRET": "hidden",
    }
    home = Home.at(tmp_path)
    processes = stack_processes(home, Settings(), environment)
    assert "hidden" not in configuration(home, processes, RuntimeSettings(process_log_mb=7, process_logs_kept=2))
    parser = _read(home, processes)
    for process in processes:
        section = parser[f"program:{process.name}"]
        assert (section["autostart"], section["autorestart"]) == ("false", "true")
        assert int(section["startretries"]) > 100_000
        assert (section["stdout_logfile_maxbytes"], section["stdout_logfile_backups"]) == (str(7 * 1024 * 1024), "2")
        assert section["stopsignal"] == process.stop_signal


def test_postgres_is_never_asked_to_wait_for_its_clients_and_workers_never_for_their_runs(tmp_path: Path) -> None:
    environment = {
        "TRADE_PIPELINE_CODE_SOCKET": "/s",
        "TRADE_PIPELINE_RESEARCH_SOCKET": "/r",
        "TRADE_PIPELINE_DEFINITIONS": "m",
    }
    signals = {item.name: item.stop_signal for item in stack_processes(Home.at(tmp_path), Settings(), environment)}
    assert signals["postgres"] == "INT"
    assert {signals[f"worker_{queue}"] for queue in ("decide", "execute", "history")} == {"QUIT"}


def test_starts_and_exits_are_read_from_the_present_supervisor_s_log_only(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    home.logs.mkdir()
    supervisor = Supervisor(home)
    assert supervisor.last_exit_status("guard") is None
    assert supervisor.spawned() == {}
    (home.logs / "supervisor.log").write_text(
        "INFO supervisord started with pid 1\nINFO spawned: 'guard' with pid 2\n"
        "INFO supervisord started with pid 3\nINFO spawned: 'guard' with pid 4\n"
        "WARN exited: guard (exit status 2; not expected)\nINFO spawned: 'guard' with pid 5\n"
    )
    assert supervisor.last_exit_status("guard") == 2
    assert supervisor.spawned() == {"guard": 2}


def test_the_last_words_of_a_process_are_its_last_line_that_says_something(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert last_words(log) == "nothing was logged"
    log.write_text("one\ntwo\n\n")
    assert last_words(log) == "two"
