"""The shell over asked holes: a run asks for those that are due, and counts what its sources have answered."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from trade_pipeline.defs.partitions import last_close
from trade_pipeline.market_data.holes import AskedHoles, Chosen
from trade_pipeline_tests.defs.conftest import TestStack, settle_in_minute


class Watched(AskedHoles):
    def __init__(self) -> None:
        super().__init__()
        self.runs: list[tuple[datetime, list[str]]] = []

    def at(self, as_of: datetime) -> Chosen:
        self.runs.append((as_of, []))
        return super().at(as_of)

    def answered(self, symbols: Collection[str]) -> None:
        self.runs[-1][1].extend(symbols)
        super().answered(symbols)


def test_a_decision_counts_the_symbols_that_were_answered(stack: TestStack) -> None:
    settle_in_minute(30)
    holes = Watched()
    stack.open.__dict__["holes"] = holes
    closed = last_close(datetime.now(UTC))
    stack.decide(closed)
    ((as_of, answered),) = holes.runs
    assert as_of == closed
    assert sorted(answered) == sorted(stack.open.universe(closed))
