"""A candle that changes after it was decided on: seen by hash, recorded, shown, and read as it was or as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl
import pytest

from trade_pipeline.cli import main
from trade_pipeline.defs.partitions import window_of
from trade_pipeline.ledger.records import Decision
from trade_pipeline.market_data.content_hash import content_hash
from trade_pipeline.market_data.tables import table_of
from trade_pipeline_tests.defs.conftest import TestStack, decision_of, settle_in_minute

SYMBOL = "BTC/USDT"
RULE = "revised_candle"


def test_a_changed_candle_is_told_with_the_decision_that_stood_on_the_old_one(
    stack: TestStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.fault(kind=RULE, symbol=SYMBOL)
    settle_in_minute(25)
    first = stack.decide()
    stood_on = decision_in(stack, first)
    assert passes(first), "nothing is changed yet: the first value is the only one"
    stack.no_faults()
    second = stack.decide_at_next_close()

    opened = stood_on.as_of - timedelta(minutes=1)
    (row,) = rows_of(second)
    assert (row["symbol"], row["open_time"]) == (SYMBOL, str(opened))
    assert not passes(second)
    held = decision_in(stack, second).detail["quarantined"]
    assert isinstance(held, Mapping) and SYMBOL not in held, "told, and the newest value counts"

    changed = [item for item in told_by_command(stack, capsys) if item["symbol"] == SYMBOL]
    assert {item["open_time"] for item in changed} == {opened.isoformat()}
    assert {item["last_decision"] for item in changed} == {stood_on.decision_id}
    (volume,) = [item for item in changed if item["column"] == "volume"]
    assert bars_of(stack, stood_on, revised=False, opened=opened).item(0, "volume") == volume["was"]
    assert bars_of(stack, stood_on, revised=True, opened=opened).item(0, "volume") == volume["now"] != volume["was"]

    cited = stood_on.inputs["bars"]["hash"]
    assert content_hash(bars_of(stack, stood_on, revised=False), table_of("bars").key) == cited
    assert content_hash(bars_of(stack, stood_on, revised=True), table_of("bars").key) != cited
    assert passes(stack.decide_at_next_close()), "the next decision stands on the new value alone"


def decision_in(stack: TestStack, result: dg.ExecuteInProcessResult) -> Decision:
    decision = stack.open.ledger.decision(decision_of(result))
    assert decision is not None
    return decision


def evaluation_in(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = [check for check in result.get_asset_check_evaluations() if check.check_name == RULE]
    return found


def passes(result: dg.ExecuteInProcessResult) -> bool:
    return evaluation_in(result).passed


def rows_of(result: dg.ExecuteInProcessResult) -> list[dict[str, Any]]:
    table: Any = evaluation_in(result).metadata["failing_rows"]
    return [dict(record.data) for record in table.records]


def told_by_command(stack: TestStack, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What `trade-pipeline quality revisions` prints."""
    with pytest.raises(SystemExit) as ended:
        main(["quality", "revisions", "--home", str(stack.home.root), "--days", "2", "--json"])
    assert ended.value.code == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def bars_of(stack: TestStack, decision: Decision, *, revised: bool, opened: datetime | None = None) -> pl.DataFrame:
    """What the decision stood on, or would stand on today; of SYMBOL's one bar where `opened` is given."""
    window = window_of(decision.partition, decision.as_of, stack.open.settings.market.warmup_bars)
    read = stack.open.lake.as_revised if revised else stack.open.lake.as_seen
    bars = read("bars", window.dates, decision.decided_at).filter(pl.col("open_time") >= window.start)
    return bars if opened is None else bars.filter((pl.col("symbol") == SYMBOL) & (pl.col("open_time") == opened))
