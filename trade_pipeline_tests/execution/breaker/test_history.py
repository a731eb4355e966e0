"""What is usual, by the formulas that history.py documents."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from trade_pipeline.execution.breaker.history import (
    Books,
    Change,
    changes_of_holdings,
    realised_volatility,
    volatility_surge,
)
from trade_pipeline.ledger.records import EquityPoint
from trade_pipeline.schemas.trading import BookTop
from trade_pipeline.settings.breaker import BreakerSettings
from trade_pipeline_tests.fakes import START

D = Decimal
SETTINGS = BreakerSettings(history_minutes_min=30)
MINUTE = timedelta(minutes=1)


def top(middle: str = "100", spread: str = "0.02", depth: str = "10", at: datetime = START) -> BookTop:
    half = D(spread) / 2
    return BookTop("BTC/USDT", D(middle) - half, D(depth), D(middle) + half, D(depth), D(middle), at)


def changes(*ratios: float) -> list[Change]:
    return [Change(START + MINUTE * (i + 1), 1.0, ratio) for i, ratio in enumerate(ratios)]


def watched(*tops: BookTop) -> dict[str, Decimal]:
    """What is measured after one look a minute."""
    books = Books()
    for minute, each in enumerate(tops):
        books.look(each, START + MINUTE * minute, SETTINGS)
    return books.measures(START + MINUTE * (len(tops) - 1), SETTINGS)


def test_realised_volatility_is_the_root_of_squared_changes_over_their_minutes() -> None:
    assert realised_volatility(changes(*[0.01, -0.01] * 5)) == pytest.approx(0.01)
    assert realised_volatility(changes(*[0.01] * 9)) is None


def test_a_gap_counts_by_its_length() -> None:
    gap = Change(START, 30.0, 0.03)
    assert realised_volatility([*changes(*[0.0] * 10), gap]) == pytest.approx(0.03 / math.sqrt(40))


def test_a_surge_is_the_last_minutes_over_the_history_before_them() -> None:
    calm, wild = [0.001, -0.001] * 30, [0.008, -0.008] * 7 + [0.008]
    seen = changes(*calm, *wild)
    assert volatility_surge(seen, seen[-1].at, SETTINGS) == 8
    assert volatility_surge(seen[:60], seen[59].at, SETTINGS) == 1


def test_a_history_that_is_too_short_says_nothing() -> None:
    seen = changes(*[0.001] * 44)
    assert volatility_surge(seen, seen[-1].at, SETTINGS) is None
    assert watched(*[top()] * 28, *[top(spread="5", depth="0")] * 5) == {}


def test_what_hardly_moves_is_quiet_however_still_it_was_before() -> None:
    seen = changes(*[0.0] * 60, *[0.0001, -0.0001] * 8)
    surge = volatility_surge(seen, seen[-1].at, SETTINGS)
    assert surge is not None
    assert surge <= 1


def test_spread_and_depth_are_compared_with_what_is_usual() -> None:
    found = watched(*[top()] * 40, *[top(spread="0.4", depth="0.5")] * 5)
    assert found["spread_surge"] == pytest.approx(D(20), rel=D("0.01"))
    assert found["depth"] == pytest.approx(D("0.05"), rel=D("0.01"))


def test_the_thinner_side_of_the_book_is_its_depth() -> None:
    one_sided = BookTop("BTC/USDT", D("99.99"), D("0.1"), D("100.01"), D(1000), D(100), START)
    assert watched(*[top()] * 40, *[one_sided] * 5)["depth"] == pytest.approx(D("0.01"), rel=D("0.01"))


def test_one_thin_minute_among_usual_ones_is_not_illiquid() -> None:
    assert watched(*[top()] * 40, top(), top(), top(depth="0"), top(), top())["depth"] == 1


def test_buying_more_is_no_surge_but_losing_is_one() -> None:
    def point(minute: int, held: str, profit: str) -> EquityPoint:
        return EquityPoint("main", START + MINUTE * minute, D(1000), D(0), D(held), D(profit), D(0), D(0), D(1000))

    grown = list(changes_of_holdings([point(0, "100", "0"), point(1, "900", "-1")]))
    assert [change.ratio for change in grown] == [pytest.approx(-1 / 900)]
    assert list(changes_of_holdings([point(0, "10", "0"), point(1, "10", "-5")])) == []
