"""Money that comes or goes is neither profit nor loss, and the drawdown stays the same share."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_pipeline.execution.returns import carried_peak, change_ratio, flow_between
from trade_pipeline.ledger.records import EquityPoint
from trade_pipeline_tests.fakes import START

D = Decimal


def point(equity: str, profit: str = "0", peak: str | None = None, minute: int = 0) -> EquityPoint:
    """`profit`: of trading since the opening, realised less fees of 1."""
    at = START + timedelta(minutes=minute)
    return EquityPoint("main", at, D(equity), D(equity), D(0), D(profit) + 1, D(0), D(1), D(peak or equity))


def drawdown(at: EquityPoint) -> Decimal:
    return 1 - at.equity_quote / at.peak_quote


def followed(before: EquityPoint, equity: str, profit: str) -> EquityPoint:
    after = point(equity, profit, minute=1)
    return replace(after, peak_quote=carried_peak(before, after))


def test_a_loss_is_a_change_and_no_flow() -> None:
    before, after = point("1000"), point("900", "-100")
    assert (flow_between(before, after), change_ratio(before, after)) == (D(0), D("-0.1"))


@pytest.mark.parametrize("equity", ["5000", "250"])
def test_money_that_comes_or_goes_is_a_flow_and_no_change(equity: str) -> None:
    before, after = point("1000"), point(equity)
    assert (flow_between(before, after), change_ratio(before, after)) == (D(equity) - 1000, D(0))


def test_a_deposit_does_not_hide_a_loss() -> None:
    before = point("1000", peak="1000")
    after = followed(before, "1500", "-100")  # 100 lost, 600 came
    assert flow_between(before, after) == 600
    assert change_ratio(before, after) == D(-100) / 1600
    assert drawdown(after) == D(100) / 1600


def test_a_withdrawal_is_no_drawdown_and_leaves_the_one_there_is() -> None:
    lost = point("900", "-100", peak="1000")
    assert drawdown(followed(lost, "450", "-100")) == D("0.1")
    assert drawdown(followed(point("1000"), "10", "0")) == 0


def test_without_flows_the_peak_is_the_highest_equity_to_the_last_digit() -> None:
    assert carried_peak(None, point("1000")) == 1000
    assert carried_peak(point("900", "-100", peak="1000"), point("950", "-50")) == 1000
    assert carried_peak(point("900", "-100", peak="1000"), point("1100", "100")) == 1100


def test_an_account_that_was_emptied_begins_anew() -> None:
    empty = followed(point("1000", peak="2000"), "0", "0")
    assert empty.peak_quote == 0
    assert change_ratio(point("1000"), empty) == 0
    assert drawdown(followed(empty, "50", "0")) == 0


def test_what_rounding_of_costs_leaves_is_no_flow() -> None:
    assert flow_between(point("1000"), point("1000.0000001")) == 0


@given(
    start=st.integers(100, 10**6),
    loss_percent=st.integers(0, 90),
    flow_percent=st.integers(-95, 500),
)
def test_whatever_flows_the_drawdown_is_the_share_that_trading_lost(
    start: int, loss_percent: int, flow_percent: int
) -> None:
    first = point(str(start))
    loss = D(start) * loss_percent / 100
    lost = followed(first, str(D(start) - loss), str(-loss))
    flowed = followed(lost, str(lost.equity_quote * (100 + flow_percent) / 100), str(-loss))
    assert drawdown(flowed) == pytest.approx(D(loss_percent) / 100, abs=D("1e-12"))
