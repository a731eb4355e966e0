"""`trade-pipeline verify-ledger`: chain, projections and invariants, proven or the offending row named."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from trade_pipeline.commands.context import ledger_of, open_context
from trade_pipeline.commands.output import say
from trade_pipeline.execution.witness import NAME, read_head
from trade_pipeline.ledger.findings import Finding, Proof
from trade_pipeline.settings.home import Home

_NOT_NOTED = (
    "the guard has run and notes the chain's newest link here, but the note is gone: rows that were cut off at the"
    " chain's end would not show. If this home was moved or restored, let the stack run for a minute: the guard notes"
    " it anew; if not, find out who removed it, and compare the ledger with a backup first"
)


def run_verify(home: Path | None, *, as_json: bool) -> int:
    """Exit code 0: proven; 1: something is not as it must be, and named. Raises LedgerError when it cannot run."""
    context = open_context(home)
    with ledger_of(context) as ledger:
        proof = _with_note(ledger.verify(read_head(context.home)), context.home)
    if as_json:
        say(json.dumps(_summary(proof)))
    else:
        _tell(proof)
    return 0 if proof.proven else 1


def _with_note(proof: Proof, home: Home) -> Proof:
    """A note of the head that must be there and is not, is a finding too."""
    if proof.tail_from is not None or not proof.watched:
        return proof
    missing = Finding("head not noted", str(home.control / NAME), _NOT_NOTED)
    return replace(proof, findings=(*proof.findings, missing))


def _summary(proof: Proof) -> dict[str, object]:
    return {
        "proven": proof.proven,
        "rows": proof.rows,
        "accounts": list(proof.accounts),
        "tail_checked": proof.tail_from is not None,
        "head": asdict(proof.head),
        "findings": [asdict(finding) for finding in proof.findings],
        "rows_per_s": round(proof.rows / proof.took_s) if proof.took_s else None,
    }


def _tell(proof: Proof) -> None:
    for finding in proof.findings:
        say(str(finding))
    if proof.tail_from is None and not proof.watched:
        say("the tail was not checked: no head was noted outside of the database yet; the guard notes one each minute")
    count = len(proof.findings)
    told = "proven" if proof.proven else f"{count} finding{'s' if count > 1 else ''}"
    say(f"{told}: {proof.rows} links, head {proof.head.hash[:16]}, {proof.took_s:.1f} s")
