"""The order's legal steps, typed from the design's text a second time. The ledger's own table is not read here."""

from __future__ import annotations

_FINISHED = "FILLED CANCELED EXPIRED"
_FROM_UNKNOWN = "OPEN PARTIALLY_FILLED FILLED CANCELED EXPIRED REJECTED PENDING_CANCEL ABSENT"

LISTED = frozenset(
    (before, after)
    for before, afters in {
        "PLANNED": "SENT ABANDONED",
        "SENT": f"OPEN PARTIALLY_FILLED {_FINISHED} REJECTED UNKNOWN",
        "OPEN": f"PARTIALLY_FILLED {_FINISHED} PENDING_CANCEL REJECTED",
        "PARTIALLY_FILLED": f"PARTIALLY_FILLED {_FINISHED} PENDING_CANCEL REJECTED",
        "PENDING_CANCEL": f"{_FINISHED} OPEN PARTIALLY_FILLED",
        "UNKNOWN": _FROM_UNKNOWN,
    }.items()
    for after in afters.split()
)
"""(before, after). What is not here is a violation, except a state that is written again and a fill (see below)."""

ENDED = frozenset({"ABANDONED", "FILLED", "CANCELED", "EXPIRED", "REJECTED", "ABSENT"})
"""States in which the ledger expects no more of the exchange."""

UNFILLED_ENDS = frozenset({"REJECTED", "ABSENT", "ABANDONED"})
"""Ends that say that nothing was ever executed: with one fill at the exchange they are wrong."""

LIVE = frozenset({"PLANNED", "SENT", "OPEN", "PARTIALLY_FILLED", "PENDING_CANCEL", "UNKNOWN"})


def is_listed(before: str, after: str) -> bool:
    """Whether the step is one of the design's.

    A fill is legal in every state after SENT, also after CANCELED: an order that ended and then proves to be filled
    completely may become FILLED. A state may be written again with other evidence, but nothing is planned or sent
    twice.
    """
    if (before, after) in LISTED:
        return True
    if before == after:
        return before not in {"PLANNED", "SENT"}
    return after == "FILLED" and before not in {"PLANNED", "ABANDONED"}
