"""The step between the database and everything that uses it: create the database, the ledger's tables, Dagster's.

Run once by `up` before dependents start; several processes that create Dagster's tables at once would collide.
"""

from __future__ import annotations

import os
import sys

from trade_pipeline.errors import TradePipelineError
from trade_pipeline.runtime import embedded_postgres

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


def main() -> int:
    try:
        prepare_storage(os.environ["TRADE_PIPELINE_LEDGER_URL"])
    except TradePipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
