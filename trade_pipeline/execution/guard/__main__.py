"""`python -m trade_pipeline.execution.guard --home HOME`: the guard as a process. Logs one line per event."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime

from trade_pipeline.errors import ConfigurationError, LeaseHeld, TradePipelineError
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.guard.cycle import Guard, run_once
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import secrets_from, settings_in_force
from trade_pipeline.settings.protect import protect_process
from trade_pipeline.venues.factory import trading_venue

INSTANCE_TTL_S = 30.0
INSTANCE_RENEWAL_S = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", required=True)
    home = Home.at(parser.parse_args().home)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        desk = _desk(home)
    except ConfigurationError as error:
        print(error, file=sys.stderr, flush=True)  # noqa: T201  the supervisor keeps stderr as the guard's log
        return 2
    return _watch(desk, stop)


def _desk(home: Home) -> Desk:
    settings = settings_in_force(home)
    secrets = secrets_from(os.environ, home)
    protect_process(secrets)
    venue = trading_venue(settings, secrets, os.environ.get("TRADE_PIPELINE_EXCHANGE_URL"), home.budgets)
    return Desk(Ledger(secrets.ledger_url), venue, settings, home, lambda: datetime.now(UTC))


def _watch(desk: Desk, stop: threading.Event) -> int:
    # The home names the holder: a restarted guard takes its own lease over at once, another home's is refused.
    guard = Guard(desk, holder=f"guard:{desk.home.root}")
    renewed_at: datetime | None = None
    last: list[str] = []
    while not stop.is_set():
        now = desk.now()
        with suppress(OSError):  # nobody supervises this guard, or the disk is full: it guards on
            # Not the ledger's heartbeat: a stand-in signs that too.
            desk.home.beat_file("guard").touch()
        if renewed_at is None or (now - renewed_at).total_seconds() > INSTANCE_RENEWAL_S:
            try:
                desk.ledger.acquire_lease(f"{desk.account}/guard", guard.holder, INSTANCE_TTL_S)
                renewed_at = now
            except LeaseHeld as error:
                _log([f"another guard watches this account: {error}"])
                stop.wait(INSTANCE_RENEWAL_S)
                continue
            except TradePipelineError as error:
                _log([f"no instance lease: {error}"])
        said = run_once(guard)
        if said != last:
            _log(said)
        last = said
        stop.wait(desk.settings.exits.guard_interval_s)
    return 0


def _log(lines: list[str]) -> None:
    for line in lines:
        print(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {line}", flush=True)  # noqa: T201  its log is stdout


if __name__ == "__main__":
    sys.exit(main())
