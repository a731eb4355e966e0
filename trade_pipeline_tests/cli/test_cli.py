"""The command as a user meets it: quick help, and every mistake as one sentence with exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from trade_pipeline.cli import main
from trade_pipeline.runtime.home_lock import HomeLock
from trade_pipeline.runtime.ports import free_port
from trade_pipeline.settings.home import Home

COMMANDS = (
    *("up", "down", "status", "plan", "pause", "resume", "flatten", "explain", "backfill", "env", "demo"),
    *("config check", "config show", "metrics"),
)
# pydantic is not among them: typer imports it by itself where it is installed.
HEAVY = ("dagster", "polars", "pandera", "ccxt", "sqlalchemy", "deltalake", "celery", "psycopg2")


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process, with an environment that names no other stack."""
    for name in list(os.environ):
        if name.startswith(("TRADE_PIPELINE", "DAGSTER")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TRADE_PIPELINE__EXCHANGE__PORT", "0")

    def call(*arguments: str) -> Done:
        try:
            main(list(arguments))
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capfd.readouterr()
        return Done(code, captured.out, captured.err)

    return call


def refused(done: Done) -> str:
    """The sentence of a refusal."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_help_names_every_command(run: Run) -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(name.split()[0] in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_imports_nothing_heavy(run: Run, command: str) -> None:
    program = (
        "import sys\n"
        "from trade_pipeline.cli import main\n"
        f"try: main({[*command.split(), '--help']!r})\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.strip() == "[]"
    assert "Usage" in done.stdout


def test_help_costs_a_small_multiple_of_starting_python(run: Run) -> None:
    def quickest(*command: str) -> float:
        times = []
        for _ in range(3):
            began = time.perf_counter()
            subprocess.run([sys.executable, *command], capture_output=True, check=True, timeout=60)
            times.append(time.perf_counter() - began)
        return min(times)

    assert quickest("-m", "trade_pipeline.cli", "--help") < 25 * quickest("-c", "pass")


@pytest.mark.parametrize("command", [("chaos", "--minutes"), ("demo", "--timeout")], ids=" ".join)
@pytest.mark.parametrize("endless", ["inf", "nan", "1e9", "-1"])
def test_a_time_that_would_not_end_is_refused(run: Run, command: tuple[str, str], endless: str) -> None:
    assert command[1] in refused(run(*command, endless))


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--mode", "dream"), "mode"), (("--mode", "paper", "--exchange", "nowhere"), "nowhere")],
)
def test_a_mode_or_an_exchange_that_is_not_offered_is_refused(
    run: Run, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    home = tmp_path / "home"
    assert words in refused(run("up", *options, "--home", str(home)))
    assert not home.exists()


def test_a_replay_that_is_not_there_is_refused(run: Run, tmp_path: Path) -> None:
    done = run("up", "--replay", str(tmp_path / "absent"), "--home", str(tmp_path / "home"))
    assert "--replay" in refused(done)
    assert not (tmp_path / "home").exists()


def test_a_corrupt_replay_is_refused_with_the_file_s_name(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "BTC_USDT-5m.feather"
    bad.write_bytes(b"no feather")
    sentence = refused(run("up", "--replay", str(tmp_path), "--home", str(tmp_path / "home")))
    assert str(bad) in sentence


def test_a_home_in_use_is_refused(run: Run, tmp_path: Path) -> None:
    with HomeLock(Home.at(tmp_path)):
        sentence = refused(run("up", "--home", str(tmp_path), "--port", "0"))
    assert f"process {os.getpid()}" in sentence
    assert "trade-pipeline down" in sentence


def test_a_port_in_use_is_refused(run: Run, tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        sentence = refused(run("up", "--home", str(tmp_path), "--port", str(port)))
    assert str(port) in sentence
    assert "--port" in sentence


def test_a_wrong_setting_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("portfolio:\n  total_weight_mx: 0.5\n")
    for command in (("up", "--home", str(tmp_path / "home")), ("config", "check")):
        assert "portfolio.total_weight_max" in refused(run(*command, "--settings", str(file)))


def test_valid_settings_are_said_to_be_valid_and_shown_without_secrets(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("storage:\n  ledger_url: postgresql://me:hidden@h/d\nmarket:\n  symbols_max: 7\n")
    assert "valid" in run("config", "check", "--settings", str(file)).stdout
    shown = run("config", "show", "--settings", str(file)).stdout
    assert "symbols_max: 7" in shown
    assert "hidden" not in shown


@pytest.mark.parametrize("command", ["status", "env", "plan --dry-run", "explain x", "flatten", "config show"])
def test_a_home_without_a_stack_says_how_to_start_one(run: Run, tmp_path: Path, command: str) -> None:
    assert "trade-pipeline up" in refused(run(*command.split(), "--home", str(tmp_path)))


def test_planning_without_dry_run_is_refused(run: Run, tmp_path: Path) -> None:
    assert "--dry-run" in refused(run("plan", "--home", str(tmp_path)))


def test_pause_and_resume_need_nothing_but_the_home(run: Run, tmp_path: Path) -> None:
    assert run("pause", "--home", str(tmp_path), "--reason", "a look").returncode == 0
    assert "a look" in Home.at(tmp_path).pause.read_text()
    assert "resumed" in run("resume", "--home", str(tmp_path)).stdout
    assert "not paused" in run("resume", "--home", str(tmp_path)).stdout


def test_down_where_nothing_runs_says_so(run: Run, tmp_path: Path) -> None:
    done = run("down", "--home", str(tmp_path))
    assert done.returncode == 0
    assert "no stack runs" in done.stdout


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [("2024-02-30", "2024-03-01", "YYYY-MM-DD"), ("2024-03-02", "2024-03-01", "Exchange the two")],
)
def test_days_that_make_no_sense_are_refused(run: Run, tmp_path: Path, first: str, last: str, said: str) -> None:
    assert said in refused(run("backfill", "--from", first, "--to", last, "--home", str(tmp_path)))


def test_a_backfill_without_days_says_which_are_missing(run: Run, tmp_path: Path) -> None:
    assert refused(run("backfill", "--home", str(tmp_path))).endswith(
        "no days are named. Name --from and --to, or --repair."
    )


def test_a_free_port_can_be_listened_on() -> None:
    from trade_pipeline.runtime.ports import claimed

    assert claimed(free_port(), setting="x") > 0
    assert claimed(0, setting="x") > 0
