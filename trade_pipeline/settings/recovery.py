"""Settings of the error policy: what is done about each error of an exchange, how often, and what follows then.

What is certain decides what may be chosen: nothing whose outcome is unknown can be told to be sent again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from trade_pipeline import errors
from trade_pipeline.errors import VenueError
from trade_pipeline.settings.base import Section

RecoveryAction = Literal["retry", "reduce", "fallback", "exit", "resolve", "skip", "halt"]
ATTEMPTS_MAX = 5
PAUSES_S_MAX = 2.0
"""All pauses of one request together: a lease is checked once, and what waits for longer would outlive the check."""

_CERTAIN = frozenset({"retry", "skip", "halt"})
_NO_SIZE = frozenset({"skip", "halt"})
_RESOLVE = frozenset({"resolve"})
_HALT = frozenset({"halt"})
CHOICES: Mapping[type[VenueError], frozenset[str]] = {
    VenueError: _RESOLVE,
    errors.VenueUnavailable: _CERTAIN,
    errors.OrderRefused: frozenset({"reduce", "fallback", "exit", "skip", "halt"}),
    errors.InsufficientFunds: frozenset({"reduce", "skip", "halt"}),
    errors.WouldTriggerImmediately: frozenset({"exit"}),
    errors.DuplicateClientOrderId: _RESOLVE,
    errors.CancelReplaceFailed: _RESOLVE,
    errors.SymbolUnknown: _NO_SIZE,
    errors.Banned: _HALT,
    errors.AuthenticationFailed: _HALT,
}
"""What may be done about an error; one that is not named has its parent's choices."""


class RecoveryRule(Section):
    """One row of the table."""

    action: RecoveryAction
    attempts_max: int = Field(1, ge=1, le=ATTEMPTS_MAX)
    """Requests in all, the first one included. More than one is for `retry` only."""
    pause_s: float = Field(0.0, ge=0, le=PAUSES_S_MAX)
    """Between two attempts; an exchange that names a longer time is obeyed."""
    then: Literal["skip", "halt"] = "skip"
    """After the last attempt. `halt` opens the circuit breaker."""

    @model_validator(mode="after")
    def _only_a_retry_repeats(self) -> RecoveryRule:
        if self.action == "retry" and self.attempts_max < 2:
            raise ValueError("a retry needs attempts_max of 2 at least")
        if self.action != "retry" and (self.attempts_max > 1 or self.pause_s > 0 or self.then != "skip"):
            raise ValueError(f"attempts_max, pause_s and then belong to retry; {self.action!r} is done once")
        if (pauses_s := self.pause_s * (self.attempts_max - 1)) > PAUSES_S_MAX:
            raise ValueError(f"pauses of {pauses_s:g} s in all exceed {PAUSES_S_MAX:g} s: the lease would not last")
        return self


def _row(action: RecoveryAction, attempts_max: int = 1, pause_s: float = 0.0, then: str = "skip") -> RecoveryRule:
    return RecoveryRule.model_validate(
        {"action": action, "attempts_max": attempts_max, "pause_s": pause_s, "then": then}
    )


DEFAULTS: Mapping[str, RecoveryRule] = {
    "VenueUnavailable": _row("retry", 3, 0.25, "halt"),
    "RateLimited": _row("retry", 3, 0.25, "halt"),
    "BudgetSpent": _row("retry", 3, 0.25),
    "ClockSkew": _row("retry", 3, 0.1, "halt"),
    "OrderRefused": _row("skip"),
    "InsufficientFunds": _row("reduce"),
    "FilterViolation": _row("fallback"),
    "WouldTriggerImmediately": _row("exit"),
    "DuplicateClientOrderId": _row("resolve"),
    "CancelReplaceFailed": _row("resolve"),
    "SymbolUnknown": _row("skip"),
    "Banned": _row("halt"),
    "AuthenticationFailed": _row("halt"),
    "OutcomeUnknown": _row("resolve"),
    "MalformedAnswer": _row("resolve"),
    "OrderNotFound": _row("resolve"),
    "VenueError": _row("resolve"),
}


class RecoverySettings(Section):
    """What is done about an error of the exchange (RELIABILITY rule 2): `trade_pipeline.errors`, row by row.

    An error without a row has its parent's.
    """

    table: Mapping[str, RecoveryRule] = Field(default_factory=lambda: dict(DEFAULTS))
    """By the error's name; rows that you leave out stay as they are. retry: the same request with the same id, then
    what `then` says. reduce: once more with what the account covers. fallback: a sale once more, at market. exit: the
    position is sold at market (a protective order that the exchange refuses). resolve: look it up, never send it again.
    skip: not this time. halt: not this time, and the circuit breaker opens."""

    @field_validator("table", mode="before")
    @classmethod
    def _rows_left_out_stay(cls, rows: Any) -> Any:
        if not isinstance(rows, Mapping):
            return rows
        return {**DEFAULTS, **{name: _completed(name, row) for name, row in rows.items()}}

    @field_validator("table", mode="after")
    @classmethod
    def _each_row_is_safe(cls, rows: Mapping[str, RecoveryRule]) -> Mapping[str, RecoveryRule]:
        known = {kind.__name__: kind for kind in venue_errors()}
        for name, rule in rows.items():
            if name not in known:
                raise ValueError(f"{name!r} is no error of an exchange; there are {', '.join(sorted(known))}")
            allowed = choices_of(known[name])
            if rule.action not in allowed:
                why = "; it may have been executed" if allowed == _RESOLVE else ""
                raise ValueError(f"{name} must be one of {', '.join(sorted(allowed))}, not {rule.action!r}{why}")
        return rows

    def rule_for(self, error: BaseException) -> tuple[str, RecoveryRule]:
        """The row of the error's class or of its nearest ancestor, with the row's name."""
        for kind in type(error).__mro__:
            if kind.__name__ in self.table:
                return kind.__name__, self.table[kind.__name__]
        return "VenueError", self.table["VenueError"]


def _completed(name: str, row: Any) -> Any:
    """A row that keeps its action keeps what else it does not name."""
    default = DEFAULTS.get(name)
    if default is None or not isinstance(row, Mapping) or row.get("action", default.action) != default.action:
        return row
    return {**default.model_dump(), **row}


def venue_errors(kind: type[VenueError] = VenueError) -> Iterator[type[VenueError]]:
    """The branch of the tree that the table speaks of, its root first."""
    yield kind
    for child in kind.__subclasses__():
        yield from venue_errors(child)


def choices_of(kind: type[VenueError]) -> frozenset[str]:
    """What may be done about this error."""
    return next(CHOICES[parent] for parent in kind.__mro__ if parent in CHOICES)
