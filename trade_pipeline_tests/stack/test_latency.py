"""What a stack that has traded has written down is enough to say where a bar's time went."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import pytest

from trade_pipeline.bench.recorded_times import bar_of, executed
from trade_pipeline.bench.stages import STAGES, Bar
from trade_pipeline.ledger.database import Database
from trade_pipeline.settings.load import secrets_from
from trade_pipeline_tests.stack.running import RunningStack, awaited

pytestmark = pytest.mark.stack


def test_every_stage_of_a_bar_that_traded_is_recorded(stack: RunningStack) -> None:
    # The first fill is booked before its execution has told how it ended.
    for bar in awaited(lambda: _bars(stack), 60, "an executed decision with orders", stack):
        assert sum(bar.stages.values()) == pytest.approx(bar.total_s, abs=1e-3)
        assert all(bar.stages[name] > 0 for name in STAGES), bar.stages
        assert bar.final_s is not None and bar.from_final_s is not None
        assert bar.final_s > 0 and 0 < bar.from_final_s < bar.total_s
        assert bar.events > 100


def _bars(stack: RunningStack) -> list[Bar]:
    database = Database(secrets_from({}, stack.home).ledger_url)
    try:
        with closing(stack.ledger()) as ledger:
            decisions = ledger.decisions_between("main", datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC))
            done = [item for item in decisions if executed(ledger, item.decision_id) is not None]
            return [bar for bar in (bar_of(ledger, database, item) for item in done) if bar is not None]
    finally:
        database.close()
