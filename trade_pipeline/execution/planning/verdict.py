"""What became of a symbol in a plan, and why."""

from __future__ import annotations

from dataclasses import dataclass

from trade_pipeline.errors import TradePipelineError


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the plan does for a symbol (buy, sell, cancel, none) and why, in one sentence.

    `error` is there where the target cannot be meant, or not be ordered: it names the symbol, the value and the repair.
    """

    action: str
    reason: str
    error: TradePipelineError | None = None

    def detail(self) -> dict[str, object]:
        """As the ledger keeps it."""
        known: dict[str, object] = {"action": self.action, "reason": self.reason}
        error = self.error
        if error is None:
            return known
        kind = type(error).__name__
        return known | {
            "error": {"kind": kind, "thing": error.thing, "value": str(error.value), "repair": error.repair}
        }


def refused(error: TradePipelineError) -> Verdict:
    """Nothing is sent for the symbol, because its target is wrong."""
    return Verdict("none", f"a target that cannot be meant: {error}", error)
