"""What the judge says when a promise was broken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant. `subject` is the order, symbol or asset; `detail` has both numbers that differ."""

    invariant: str
    statement: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.subject}: {self.statement}; {self.detail}"
