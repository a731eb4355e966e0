"""A process that was told its secrets keeps them: in logs, prints, tracebacks of its threads, and databases."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from trade_pipeline import redaction
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Event
from trade_pipeline.settings.load import Secrets
from trade_pipeline.settings.protect import protect_process, secret_values

CANARY = "canary-0123456789abcdef"
PROGRAM = """
import logging, sys, threading
before = logging.StreamHandler(sys.stderr)
logging.getLogger().addHandler(before)
from trade_pipeline.settings.load import Secrets
from trade_pipeline.settings.protect import protect_process
protect_process(Secrets(exchange_api_secret=CANARY))
BODY
"""


def _output(tmp_path: Path, body: str) -> str:
    """What a process says in all, with a canary for its secret."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace("CANARY", repr(CANARY)).replace("BODY", textwrap.dedent(body)))
    environment = {"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "SAID": CANARY}
    done = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "body",
    [
        "import os; print('said', os.environ['SAID'])",
        "import os; said = os.environ['SAID']; print('said', said[:9], end=''); print(said[9:])",
        "import os; logging.warning('said %s', os.environ['SAID'])",
        "import os; raise RuntimeError('said ' + os.environ['SAID'])",
        """
        import os
        thread = threading.Thread(target=lambda: int('said ' + os.environ['SAID']))
        thread.start(); thread.join()
        """,
        """
        import os
        try:
            raise ValueError('said ' + os.environ['SAID'])
        except ValueError:
            logging.exception('failed')
        """,
        "import os, warnings; warnings.warn('said ' + os.environ['SAID'])",
    ],
    ids=["print", "two writes", "log", "uncaught", "thread", "log of an exception", "warning"],
)
def test_nothing_that_a_process_says_holds_the_secret(tmp_path: Path, body: str) -> None:
    output = _output(tmp_path, body)
    assert "said" in output
    assert "***" in output
    assert CANARY not in output


def test_of_urls_only_the_password_is_secret() -> None:
    secrets = Secrets("k" * 10, "s" * 10, "postgresql://user:p%40ssword@host/db", "redis+socket:///tmp/x")
    assert secret_values(secrets) == {"k" * 10, "s" * 10, "p%40ssword", "p@ssword"}


@pytest.fixture
def protected() -> object:
    before = redaction.current()
    protect_process(Secrets(exchange_api_secret=CANARY), streams=False)
    yield
    redaction.use(before)


@pytest.mark.usefixtures("protected")
def test_what_goes_to_a_database_is_redacted_whoever_sends_it(ledger_url: str) -> None:
    engine = create_engine(ledger_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE said (words text)"))
        connection.execute(text("INSERT INTO said VALUES (:words)"), {"words": f"url?signature={CANARY}"})
        connection.execute(text("INSERT INTO said VALUES (:words)"), [{"words": CANARY}, {"words": "b"}])
        assert [row.words for row in connection.execute(text("SELECT words FROM said"))] == [
            "url?signature=***", "***", "b",
        ]  # fmt: skip
    engine.dispose()


@pytest.mark.usefixtures("protected")
def test_an_event_of_the_ledger_holds_no_secret(ledger: Ledger) -> None:
    ledger.record_event(Event(datetime.now(UTC), "trouble", "error", "main", detail={"why": f"said {CANARY}"}))
    (event,) = ledger.events("main")
    assert event.detail == {"why": "said ***"}
    assert ledger.verify().findings == ()
