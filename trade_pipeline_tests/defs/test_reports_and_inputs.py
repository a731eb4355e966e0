"""Reports from the ledger, what the exit watch shows, and how much history an input loads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import dagster as dg
import pytest

from trade_pipeline.definitions import defs
from trade_pipeline.defs.exits import exit_watch, must_stand_in, observe
from trade_pipeline.defs.io_manager import read_window
from trade_pipeline.defs.partitions import window_of
from trade_pipeline.defs.resources import Stack
from trade_pipeline.errors import DataError, SettingsError
from trade_pipeline.ledger.records import EquityPoint, Event
from trade_pipeline.market_data.tables import table_of
from trade_pipeline_tests.defs.conftest import TestStack
from trade_pipeline_tests.market_data.frames_of import START, bars


def equity(at: datetime, amount: int, deposited: int = 0) -> EquityPoint:
    """10,000 at the opening, the rest made by trading or deposited."""
    value = Decimal(amount)
    zero = Decimal(0)
    made = value - 10_000 - deposited
    return EquityPoint("main", at, value, value, zero, made, zero, zero, max(value, Decimal(10_000)))


def test_equity_is_drawn_and_empty_reports_are_no_failure(stack: TestStack) -> None:
    now = datetime.now(UTC)
    job = defs.resolve_job_def("reports")
    assert job.execute_in_process(instance=stack.instance).success
    for minutes, amount, deposited in ((3, 10_000, 0), (2, 9_900, 0), (1, 12_050, 2_000)):
        stack.open.ledger.record_equity(equity(now - timedelta(minutes=minutes), amount, deposited))
    result = job.execute_in_process(instance=stack.instance)
    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == dg.AssetKey("equity_curve")]
    metadata = event.step_materialization_data.materialization.metadata
    assert metadata["profit_quote"].value == 50.0, "what was deposited is no profit"
    assert str(metadata["equity"].value).startswith("![Equity](data:image/png;base64,")


def test_the_exit_watch_shows_a_change_once(stack: TestStack) -> None:
    now = datetime.now(UTC)
    assert observe(stack.open, now)["positions"] == 0
    context = dg.build_sensor_context(instance=stack.instance, resources={"stack": Stack()})
    first = exit_watch(context)
    assert isinstance(first, dg.SensorResult)
    again = dg.build_sensor_context(instance=stack.instance, cursor=first.cursor, resources={"stack": Stack()})
    silent = exit_watch(again)
    assert isinstance(silent, dg.SensorResult)
    assert not silent.asset_events and not silent.run_requests
    stack.open.ledger.record_event(Event(now, "stop_triggered", "warning", "main", "BTC/USDT"))
    changed = exit_watch(again)
    assert isinstance(changed, dg.SensorResult)
    assert changed.asset_events


def test_a_silent_guard_is_stood_in_for_while_positions_are_open(stack: TestStack) -> None:
    assert must_stand_in({"guard_age_s": 16.0, "positions": 1})
    assert not must_stand_in({"guard_age_s": 3.0, "positions": 1})
    assert not must_stand_in({"guard_age_s": 60.0, "positions": 0})
    assert not must_stand_in({"guard_age_s": -1.0, "positions": 1})
    assert defs.resolve_job_def("stand_in_for_guard").execute_in_process(instance=stack.instance).success
    age = observe(stack.open, datetime.now(UTC))["guard_age_s"]
    assert isinstance(age, float) and 0 <= age < 30


def test_an_input_loads_its_window_its_day_or_days_before(stack: TestStack) -> None:
    lake = stack.open.lake
    lake.append("raw_bars", bars(4000, symbols=("BTC/USDT",)), known_at=START)
    day = str((START + timedelta(days=1)).date())
    window = window_of(day, START + timedelta(days=1, hours=2), 300)
    table = table_of("raw_bars")
    assert read_window(stack.open, table, window).height == 300 + 120
    assert read_window(stack.open, table, window, {"warmup": False}).height == 120
    assert read_window(stack.open, table, window, {"lookback_days": 1}).height == 1440 + 120
    with pytest.raises(DataError, match="lookback_days"):
        read_window(stack.open, table, window, {"lookback_days": "one"})


def test_without_a_home_the_repair_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRADE_PIPELINE_HOME", raising=False)
    with pytest.raises(SettingsError, match="trade-pipeline env"):
        _ = Stack().open
