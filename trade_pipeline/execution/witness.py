"""The newest link of the ledger's chain, written down beside the database: a tail that is cut off then shows.

Noted by the guard each minute and whenever it has done something, and at the end of each decision's execution.
"""

from __future__ import annotations

import json
from contextlib import suppress

from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.verify import Head
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import write_private

NAME = "ledger_head.json"


def write_head(home: Home, ledger: Ledger) -> Head:
    """Note the head of now. Raises LedgerUnavailable."""
    head = ledger.chain_head()
    write_private(home.control / NAME, json.dumps({"number": head.number, "hash": head.hash}) + "\n")
    return head


def note_head(home: Home, ledger: Ledger) -> None:
    """`write_head` where it is possible: what was done stays done when a note cannot be written."""
    with suppress(LedgerError, OSError):
        write_head(home, ledger)


def read_head(home: Home) -> Head | None:
    """The head that was noted last; None where none was. Raises LedgerError for a note that cannot be read."""
    path = home.control / NAME
    try:
        stored = json.loads(path.read_text())
        return Head(int(stored["number"]), str(stored["hash"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LedgerError(
            "the note of the chain's head cannot be read",
            thing=str(path),
            value=type(error).__name__,
            repair="Find out who changed it; the guard writes it anew once it is removed.",
        ) from error
