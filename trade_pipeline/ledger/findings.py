"""What a proof of the ledger says: findings, the head of the chain and the proof itself. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field

NAMED_MAX = 50
"""How many findings of one kind are named."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be. `place` names table and key, or a number of the chain."""

    kind: str
    place: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.place}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest link of the chain: kept outside of the database too, so that a tail that was cut off shows."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Proof:
    """`tail_from`: number of the link that was noted outside and found again; None: no note, so that rows which were
    cut off at the end together with their links would not show. `watched`: the guard has written a point of the equity
    curve, with each of which it notes the head outside."""

    head: Head
    rows: int
    findings: tuple[Finding, ...]
    took_s: float
    accounts: tuple[str, ...] = field(default=())
    tail_from: int | None = None
    watched: bool = False

    @property
    def proven(self) -> bool:
        return not self.findings
