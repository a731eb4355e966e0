"""`trade-pipeline verify-ledger`: chain, projections and invariants, proven or the offending row named."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from trade_pipeline.commands.context import open_context
from trade_pipeline.commands.output import say
from trade_pipeline.execution.witness import read_head
from trade_pipeline.ledger.ledger import Ledger


def run_verify(home: Path | None, *, as_json: bool) -> int:
    """Exit code 0: proven; 1: something is not as it must be, and named. Raises LedgerError when it cannot run."""
    context = open_context(home)
    with closing(Ledger(context.secrets.ledger_url)) as ledger:
        proof = ledger.verify(read_head(context.home))
    if as_json:
        say(
            json.dumps(
                {
                    "proven": proof.proven,
                    "rows": proof.rows,
                    "accounts": list(proof.accounts),
                    "tail_checked": proof.tail_from is not None,
                    "head": {"number": proof.head.number, "hash": proof.head.hash},
                    "findings": [{"kind": f.kind, "place": f.place, "detail": f.detail} for f in proof.findings],
                    "rows_per_s": round(proof.rows / proof.took_s) if proof.took_s else None,
                }
            )
        )
        return 0 if proof.proven else 1
    for finding in proof.findings:
        say(str(finding))
    if proof.tail_from is None:
        say("the tail was not checked: no head was noted outside of the database yet; the guard notes one each minute")
    told = "proven" if proof.proven else f"{len(proof.findings)} findings"
    say(f"{told}: {proof.rows} links, head {proof.head.hash[:16]}, {proof.took_s:.1f} s")
    return 0 if proof.proven else 1
