"""Two minutes of disasters on a stack that trades all the time: nothing is lost, doubled or left unprotected.

TRADE_PIPELINE_CHAOS_MINUTES and TRADE_PIPELINE_CHAOS_SEED make it longer, or another one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trade_pipeline_tests.stack.running import REPOSITORY, RunningStack, awaited, clean_environment, left_running

pytestmark = pytest.mark.stack

LIVELY = Path(__file__).with_name("lively.yaml")
MINUTES = float(os.environ.get("TRADE_PIPELINE_CHAOS_MINUTES", "2"))
SEED = os.environ.get("TRADE_PIPELINE_CHAOS_SEED", "7")
VERDICT_S = 420.0


@pytest.fixture
def lively(tmp_path: Path) -> Iterator[RunningStack]:
    running = RunningStack.start(tmp_path, "--settings", str(LIVELY))
    try:
        awaited(lambda: running.ask(lambda ledger: ledger.fills("main")), 240, "a first fill", running)
        yield running
    finally:
        running.stop()
    assert left_running(running.home) == []


def test_after_two_minutes_of_chaos_ledger_and_exchange_agree(lively: RunningStack) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "trade_pipeline.cli", "chaos", "--json"),
            *("--minutes", str(MINUTES), "--seed", SEED, "--home", str(lively.home.root)),
        ],
        env=clean_environment(),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=MINUTES * 60 + VERDICT_S,
        check=False,
    )
    report = json.loads(done.stdout.splitlines()[-1])
    failed = [item for item in report["verdict"] if not item["passed"]]
    assert failed == [], json.dumps(report, indent=1)
    assert not any(deed["unwell"] for deed in report["deeds"]), report["deeds"]
    assert done.returncode == 0
    kinds = {what.split()[0] for deed in report["deeds"] for what in deed["what"]}
    assert kinds == {"kill", "stop", "outage", "disk_full", "twice"}
    (sent,) = [item["found"] for item in report["verdict"] if item["name"].startswith("no order is doubled")]
    assert int(sent.split()[0]) > 0, "disasters that meet no order prove little"
