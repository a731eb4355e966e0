"""All invariants in the order of their numbers, and the one call that judges a case."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trade_pipeline.faults.oracle import endings, money, orders, sending
from trade_pipeline.faults.oracle.case import Case
from trade_pipeline.faults.oracle.violations import Violation

Invariant = Callable[[Case], Iterator[Violation]]

INVARIANTS: tuple[Invariant, ...] = tuple(
    function
    for name, function in sorted(
        (name, function)
        for room in (money, orders, sending, endings)
        for name, function in vars(room).items()
        if name.startswith("invariant_")
    )
)


def judge(case: Case) -> list[Violation]:
    """Every violation of every invariant at this moment, by number. Empty is what everybody hopes for."""
    return [violation for invariant in INVARIANTS for violation in invariant(case)]
