"""`freqtrade_ohlc` and the plain restatement of its conventions agree on whatever candles and settings there are."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from trade_pipeline.execution.exits.candles import Bar, Scenario
from trade_pipeline.execution.exits.simulate import simulate
from trade_pipeline.execution.exits.values import ExitRules, ProfitStep, Trailing
from trade_pipeline_tests.execution.exits.bars import HOUR, START
from trade_pipeline_tests.execution.exits.ohlc_restated import Candle, Config, OutsideTheCandle, Told, told

RATIOS = st.sampled_from(["0.01", "0.02", "0.03", "0.05", "0.1"]).map(Fraction)
MINUTES = st.sampled_from([0, 30, 60, 90, 120, 180, 240])


@st.composite
def candles(draw: st.DrawFn) -> list[Candle]:
    """A walk in whole percents of its beginning, so that levels are touched exactly; gaps, signals, sometimes both."""
    found, close = [], 1000
    for index in range(draw(st.integers(3, 9))):
        opened = max(close + draw(st.sampled_from([0, 0, 0, 0, 0, -60, 60, 20])), 100)
        close = max(opened + 10 * draw(st.integers(-3, 4)), 100)
        high = max(opened, close) + 10 * draw(st.integers(0, 4))
        low = min(opened, close) - 10 * draw(st.integers(0, 3))
        enters = index == 0 or draw(st.integers(0, 3)) == 0
        found.append(Candle(opened, high, low, close, enters, index > 0 and draw(st.integers(0, 5)) == 0))
    return found


@st.composite
def configs(draw: st.DrawFn) -> Config:
    roi = draw(st.dictionaries(MINUTES, st.one_of(RATIOS, st.just(Fraction(-1)), st.just(Fraction(1))), max_size=3))
    trailing, positive = draw(st.booleans()), draw(st.one_of(st.none(), RATIOS))
    offset = draw(RATIOS) if positive is not None and draw(st.booleans()) else Fraction(0)
    return Config(
        sign=draw(st.sampled_from([1, -1])),
        stop=draw(st.sampled_from(["0.03", "0.05", "0.1"]).map(Fraction)),
        roi=tuple(sorted(roi.items())),
        trailing=trailing,
        positive=positive,
        offset=offset,
        only_offset=trailing and offset > 0 and draw(st.booleans()),
        custom=draw(st.integers(0, 4)) == 0,
        use_signal=draw(st.booleans()),
        leverage=draw(st.sampled_from([1, 1, 2, 4])),
    )


def played(rows: list[Candle], config: Config) -> list[Told]:
    """The same through the product's policy."""

    def exact(value: Fraction) -> Decimal:
        return Decimal(value.numerator) / Decimal(value.denominator)

    trailing = Trailing(
        exact(config.stop),
        None if config.positive is None else exact(config.positive),
        exact(config.offset),
        config.only_offset,
    )
    rules = ExitRules(
        stop_ratio=exact(config.stop),
        targets=tuple(ProfitStep(minute, exact(ratio)) for minute, ratio in config.roi),
        trailing=trailing if config.trailing else None,
    )
    signs = frozenset({config.sign})
    bars = [
        Bar(
            START + index * HOUR,
            Decimal(row.open),
            Decimal(row.high),
            Decimal(row.low),
            Decimal(row.close),
            enters=signs if row.enters else frozenset(),
            exits=signs if row.leaves else frozenset(),
        )
        for index, row in enumerate(rows)
    ]
    scenario = Scenario(
        bars,
        HOUR,
        rules,
        use_exit_signal=config.use_signal,
        leverage=Decimal(config.leverage),
        stop_follows_best=config.custom,
    )
    return [
        (
            trade.exit_reason,
            int((trade.opened_at - START) / HOUR),
            int((trade.closed_at - START) / HOUR),
            Fraction(trade.exit_price),
        )
        for trade in simulate(scenario, "freqtrade_ohlc")
    ]


def near(one: Told, other: Told) -> bool:
    """The same but for what a division leaves behind the 20th digit."""
    return one[:3] == other[:3] and abs(one[3] - other[3]) < Fraction(1, 10**15)


@settings(max_examples=600, deadline=None)
@given(candles(), configs())
def test_every_trade_is_the_one_that_the_plain_order_of_precedence_gives(rows: list[Candle], config: Config) -> None:
    try:
        expected = told(rows, config)
    except OutsideTheCandle:
        reject()
    found = played(rows, config)
    assert len(expected) == len(found), (expected, found)
    assert all(near(*pair) for pair in zip(expected, found, strict=True)), (expected, found)


@settings(max_examples=200, deadline=None)
@given(candles(), configs())
def test_no_exit_lies_outside_its_candle_and_no_two_trades_overlap(rows: list[Candle], config: Config) -> None:
    found = played(rows, config)
    assume(found)
    for reason, opened, closed, price in found:
        assert rows[closed].low <= price <= rows[closed].high, reason
        assert opened <= closed
    assert all(earlier[2] < later[1] for earlier, later in pairwise(found))


@settings(max_examples=200, deadline=None)
@given(candles(), configs())
def test_a_stop_that_was_not_gapped_loses_its_ratio_at_most(rows: list[Candle], config: Config) -> None:
    """Long or short, whatever the leverage."""
    for reason, opened, closed, price in played(rows, config):
        entry, candle = rows[opened].open, rows[closed]
        loss = -config.sign * (price / entry - 1) * config.leverage
        if reason == "stop_loss" and price != candle.open:
            assert loss <= config.stop + Fraction(1, 10**12)
