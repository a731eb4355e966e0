"""The step between the database and everything that uses it: create the database, the ledger's tables, Dagster's.

Run once by `up` before dependents start; several processes that create Dagster's tables at once would collide.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping

from trade_pipeline.errors import TradePipelineError
from trade_pipeline.runtime import embedded_postgres
from trade_pipeline.runtime.environment import make_secrets, prepare_home
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import load_settings, write_settings_in_force
from trade_pipeline.settings.protect import protect_from_environment

WAIT_S = 60.0


def prepare_storage(ledger_url: str) -> None:
    """Waits for the server, then creates or migrates what is missing. Raises LedgerUnavailable, LedgerError."""
    from dagster import DagsterInstance

    from trade_pipeline.ledger.ledger import Ledger

    embedded_postgres.wait_ready(ledger_url, WAIT_S)
    embedded_postgres.create_database(ledger_url)
    ledger = Ledger(ledger_url)
    try:
        ledger.migrate()
    finally:
        ledger.close()
    with DagsterInstance.get() as instance:
        # Creating the storages creates their tables; `upgrade` brings older ones forward and is quick when there is
        # nothing to do.
        instance.upgrade()


def prepare_home_without_up(environ: Mapping[str, str]) -> None:
    """What `up` does before it starts processes, for services that something else starts."""
    settings = load_settings(None, environ=environ)
    home = Home.at(environ["TRADE_PIPELINE_HOME"])
    prepare_home(home)
    make_secrets(home, settings, environ)
    write_settings_in_force(home, settings.model_copy(update={"home": home.root}))


def main() -> int:
    parser = argparse.ArgumentParser(description="Prepares the database of a stack.")
    parser.add_argument("--prepare", action="store_true", help="make home, keys and settings in force first")
    arguments = parser.parse_args()
    protect_from_environment()
    try:
        if arguments.prepare:
            prepare_home_without_up(os.environ)
        prepare_storage(os.environ["TRADE_PIPELINE_LEDGER_URL"])
    except TradePipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
