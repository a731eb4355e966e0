"""Recorded moments become stages, stages and bars become figures: no stack, no clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from trade_pipeline.bench.latency import Bars, latency_report
from trade_pipeline.bench.spread import Spread, percentile
from trade_pipeline.bench.stages import STAGES, Bar, Event, cut, ends_of, last_first_submission
from trade_pipeline.bench.stock import pairs_of
from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import OrderRequest, OrderState, OrderType, Role, Side

CLOSE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return CLOSE + timedelta(seconds=seconds)


def ended(step: str, seconds: float) -> Event:
    return step, "STEP_SUCCESS", after(seconds)


DECIDE: list[Event] = [
    (None, "PIPELINE_START", after(0.2)),
    ("raw_bars", "STEP_START", after(0.3)),
    ended("raw_bars", 0.7),
    ended("raw_bars_checks", 0.71),
    ended("judge_bars", 0.8),
    ended("bars_checks", 0.83),
    ended("quality_scores_checks", 0.85),
    ended("features", 0.9),
    ended("features_checks", 0.92),
    ended("regimes", 0.94),
    ended("signals", 0.97),
    ended("signals_checks", 1.0),
    ended("raw_bars_rules", 3.0),
]
EXECUTE: list[Event] = [(None, "PIPELINE_START", after(1.25)), ("execute_decision", "STEP_START", after(1.3))]


def test_each_stage_begins_where_the_one_before_ends_and_together_they_are_the_whole() -> None:
    outcomes = {"gate": after(1.36), "plan": after(1.4), "execute": after(2.0)}
    stages = cut(CLOSE, ends_of(DECIDE, EXECUTE, outcomes, after(1.1), after(1.9)))
    assert list(stages) == list(STAGES)
    expected = [0.3, 0.4, 0.15, 0.07, 0.08, 0.1, 0.2, 0.06, 0.04, 0.5]
    assert list(stages.values()) == pytest.approx(expected)
    assert sum(stages.values()) == pytest.approx(1.9)


def test_a_stage_that_left_no_trace_takes_nothing_and_its_time_goes_to_the_next() -> None:
    without = [event for event in DECIDE if event[0] not in ("features", "features_checks")]
    stages = cut(CLOSE, ends_of(without, [], {"plan": after(1.4)}, after(1.1), after(1.9)))
    assert stages["features"] == 0
    assert stages["signals"] == pytest.approx(0.15)
    assert (stages["handover"], stages["gate"]) == (0, 0)
    assert stages["plan"] == pytest.approx(0.3)
    assert sum(stages.values()) == pytest.approx(1.9)


def test_steps_that_changed_places_make_no_stage_negative() -> None:
    late_check = [*DECIDE, ended("features_checks", 0.99)]
    stages = cut(CLOSE, ends_of(late_check, EXECUTE, {}, after(1.1), after(1.9)))
    assert min(stages.values()) >= 0
    assert sum(stages.values()) == pytest.approx(1.9)


def order(attempt: int, acknowledged_s: float | None, venue_order_id: str | None) -> Order:
    request = OrderRequest(f"c{attempt}", "BTC/USDT", Side.BUY, OrderType.LIMIT, Decimal(1), price=Decimal(10))
    at = None if acknowledged_s is None else after(acknowledged_s)
    return Order(
        client_order_id=request.client_order_id,
        intent_id="i",
        attempt=attempt,
        account="main",
        symbol="BTC/USDT",
        role=Role.ENTRY,
        request=request,
        state=OrderState.OPEN,
        venue_order_id=venue_order_id,
        filled=Decimal(0),
        quote_filled=Decimal(0),
        planned_at=CLOSE,
        sent_at=at,
        acknowledged_at=at,
        updated_at=CLOSE,
        last_evidence="",
    )


def test_what_counts_is_the_last_first_submission_with_an_order_id() -> None:
    answered = [order(0, 1.0, "7"), order(0, 1.4, "8")]
    assert last_first_submission([*answered, order(1, 5.0, "9"), order(0, None, None)]) == after(1.4)
    assert last_first_submission([order(0, 1.0, None)]) is None, "refused: no order id"


def test_percentiles_lie_between_the_nearest_ranks() -> None:
    values = [4.0, 1.0, 3.0, 2.0]
    assert [percentile(values, share) for share in (0, 0.5, 0.95, 1)] == pytest.approx([1.0, 2.5, 3.85, 4.0])
    assert percentile([2.0], 0.95) == 2.0
    assert Spread.of([]) is None
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 0.5)


def test_the_last_line_holds_figures_ratio_and_what_was_left_out() -> None:
    bars = [Bar(after(60 * n), 3, total, 0.2, dict.fromkeys(STAGES, total / 10), 150) for n, total in
            enumerate((1.0, 2.0, 6.0))]  # fmt: skip
    lines: list[str] = []
    report = latency_report(Bars(bars, without_orders=2, not_executed=1), [10.0, 8.0, 12.0], lines.append)
    found = json.loads(report.as_json())
    assert (found["p50_s"], found["p95_s"], found["max_s"]) == (2.0, 5.6, 6.0)
    assert (found["stock_p50_s"], found["ratio_to_stock"]) == (10.0, 0.2)
    assert found["from_final_p50_s"] == 1.8
    assert (found["bars"], found["bars_without_orders"], found["bars_not_executed"]) == (3, 2, 1)
    assert found["stages"]["send"]["p50_s"] == 0.2
    assert found["aims_met"] == {"p50_s": False, "p95_s": False, "ratio_to_stock": True}
    assert "3 of 6 bars" in lines[0]


def test_without_a_bar_that_traded_there_are_no_figures() -> None:
    found = json.loads(latency_report(Bars(without_orders=2), [], print).as_json())
    assert (found["p50_s"], found["ratio_to_stock"], found["bars"]) == (None, None, 0)
    assert not any(found["aims_met"].values())


def test_a_pair_of_stock_runs_counts_from_the_minute_to_the_end_of_the_second_one() -> None:
    runs = [
        ("first", after(0.4), after(5.0)),
        ("second", after(6.0), after(11.5)),
        ("first", after(60.3), after(65.0)),
        ("second", after(66.0), after(70.0)),
        ("first", after(120.3), after(125.0)),
    ]
    assert pairs_of(runs) == pytest.approx([11.5, 10.0])
