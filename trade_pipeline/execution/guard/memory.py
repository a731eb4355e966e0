"""What the guard remembers of each position, in the ledger: a restart goes on with the same highs, stages and exits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.exits.values import ExitMemory
from trade_pipeline.execution.guard.run import ExitRun
from trade_pipeline.ledger.records import ExitState
from trade_pipeline.schemas.trading import Position

HIGHEST_EVERY = timedelta(seconds=5)
"""A new high by itself is written down this often; where it has pulled the stop is written at once."""


@dataclass
class Memories:
    """States by symbol, as the ledger had them at the last look. Losing this object loses nothing."""

    stored: dict[str, ExitState] = field(default_factory=dict)

    def read(self, desk: Desk) -> None:
        """Read all states: whoever stood in for this guard may have written others."""
        self.stored = desk.ledger.exit_states(desk.account)

    def of(self, desk: Desk, position: Position, now: datetime) -> ExitState:
        """The state of this very position; a fresh one where the symbol was flat in between."""
        assert position.opened_at is not None, "a position that is flat has no state"
        known = self.stored.get(position.symbol)
        if known is None or known.opened_at != position.opened_at:
            return fresh(desk.account, position.symbol, position.opened_at, now)
        return known

    def keep(self, desk: Desk, state: ExitState) -> None:
        """Write what has changed."""
        before = self.stored.get(state.symbol)
        if before is not None and not _matters(before, state):
            return
        desk.ledger.save_exit_state(state)
        self.stored[state.symbol] = state

    def change(self, desk: Desk, symbol: str, **changes: object) -> None:
        """Change what is stored of a symbol, if anything is."""
        state = self.stored.get(symbol)
        if state is not None:
            self.keep(desk, replace(state, updated_at=desk.now(), **changes))  # type: ignore[arg-type]  # its fields

    def keep_run(self, desk: Desk, symbol: str, run: ExitRun | None) -> None:
        """Write down how far an exit is; None: it is over."""
        state = self.stored.get(symbol)
        if state is not None:
            self.change(desk, symbol, detail=with_run(state.detail, run))

    def forget_others(self, desk: Desk, held: Collection[str]) -> None:
        """Drop the states of what is no longer held."""
        for symbol in set(self.stored) - set(held):
            desk.ledger.drop_exit_state(desk.account, symbol)
            del self.stored[symbol]


def fresh(account: str, symbol: str, opened_at: datetime, now: datetime) -> ExitState:
    """The state of a position that nobody has looked at yet."""
    return ExitState(
        account=account,
        symbol=symbol,
        opened_at=opened_at,
        highest=None,
        trailing_active=False,
        protection="none",
        switched_at=None,
        stages_done=0,
        detail={},
        updated_at=now,
    )


def memory_of(state: ExitState) -> ExitMemory:
    """The part that the rules read and write."""
    stop, ratio = state.detail.get("trailed_stop"), state.detail.get("trailed_ratio")
    return ExitMemory(
        best=state.highest,
        trailed_stop=None if stop is None else Decimal(str(stop)),
        trailed_ratio=None if ratio is None else Decimal(str(ratio)),
        stages_done=state.stages_done,
    )


def run_of(state: ExitState) -> ExitRun | None:
    """The exit under way, if there is one."""
    detail = state.detail.get("run")
    return ExitRun.from_detail(detail) if isinstance(detail, Mapping) else None


def with_run(detail: Mapping[str, object], run: ExitRun | None) -> dict[str, object]:
    rest = {name: value for name, value in detail.items() if name != "run"}
    return rest if run is None else {**rest, "run": run.detail()}


def _matters(before: ExitState, after: ExitState) -> bool:
    if replace(before, highest=after.highest, updated_at=after.updated_at) != after:
        return True
    return before.highest != after.highest and after.updated_at - before.updated_at >= HIGHEST_EVERY
