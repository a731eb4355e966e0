"""Targets: a row for everybody, HOLD for what is unknown, frozen sizes, sleeves that add up."""

from __future__ import annotations

import json
from decimal import Decimal

import polars as pl
import pytest

from trade_pipeline.features.compute import compute_features
from trade_pipeline.portfolio.opinions import scores_by_symbol
from trade_pipeline.portfolio.targets import decide_targets
from trade_pipeline.quality.target_rules import targets_within_limits
from trade_pipeline.schemas.frames import BARS, TARGETS
from trade_pipeline.schemas.targets import Targets
from trade_pipeline.schemas.validation import validate
from trade_pipeline.settings.root import Settings
from trade_pipeline.signals.combine import compute_signals
from trade_pipeline.signals.regimes import compute_regimes
from trade_pipeline_tests.made_bars import MINUTE, START, random_bars
from trade_pipeline_tests.portfolio.made_account import (
    AS_OF,
    BTC,
    ETH,
    EXPIRES_AT,
    SOL,
    both,
    decide,
    features_frame,
    row,
    rules_of,
    signals_frame,
    snapshot_of,
)


def test_a_wanted_symbol_is_set_with_price_stop_and_expiry() -> None:
    targets = decide({BTC: both(0.5)})
    assert dict(targets.schema) == TARGETS
    assert not validate(Targets, targets)
    target = row(targets, BTC)
    # 10,000 x 10 % at 100; the risk of 0.5 % at a stop 0.40 away would allow 62.5 coins.
    assert (target["kind"], target["quantity"], target["price"]) == ("SET", Decimal(10), Decimal(100))
    assert target["stop_distance"] == Decimal("0.4")
    assert (target["as_of"], target["expires_at"]) == (AS_OF, EXPIRES_AT)
    assert target["weight"] == pytest.approx(0.1)


def test_a_volatile_symbol_is_sized_by_its_risk() -> None:
    targets = decide({BTC: both(1.0)}, features=features_frame({BTC: 100.0}, atr_ratio=0.05))
    # Stop 3 x 5 = 15 away; 0.5 % of 10,000 is 50; 50 / 15 = 3.3333.
    assert row(targets, BTC)["quantity"] == Decimal("3.3333")
    assert "risk" in str(row(targets, BTC)["reason"])


def test_half_the_score_takes_half_the_risk() -> None:
    whole = row(decide({BTC: both(1.0)}, features=features_frame({BTC: 100.0}, atr_ratio=0.05)), BTC)["quantity"]
    half = row(decide({BTC: both(0.5)}, features=features_frame({BTC: 100.0}, atr_ratio=0.05)), BTC)["quantity"]
    assert isinstance(whole, Decimal)
    assert half == (whole / 2).quantize(Decimal("0.0001"), rounding="ROUND_FLOOR")


@pytest.mark.parametrize("score", [0.0, -0.4, 0.05])
def test_a_symbol_that_nobody_wants_is_flat(score: float) -> None:
    target = row(decide({BTC: both(score)}, snapshot_of({BTC: "1"})), BTC)
    assert (target["kind"], target["quantity"], target["sleeves"]) == ("FLAT", Decimal(0), "{}")


@pytest.mark.parametrize("score", [None, float("nan")])
def test_a_score_that_is_unknown_is_hold_and_never_zero(score: float | None) -> None:
    target = row(decide({BTC: both(score)}, snapshot_of({BTC: "1"})), BTC)
    assert (target["kind"], target["quantity"], target["stop_distance"]) == ("HOLD", None, None)


def test_every_symbol_of_the_universe_held_or_with_orders_has_one_row() -> None:
    snapshot = snapshot_of({ETH: "1"}, open_entries={SOL: "2"}, marks={ETH: "50", SOL: "20"})
    targets = decide({BTC: both(1.0)}, snapshot)
    assert targets.get_column("symbol").to_list() == [BTC, ETH, SOL]
    assert targets.get_column("kind").to_list() == ["SET", "HOLD", "HOLD"]
    assert "universe" in str(row(targets, ETH)["reason"])


@pytest.mark.parametrize(
    ("case", "word"),
    [
        ({"quarantined": {BTC: "a gap of 3 bars"}}, "gap of 3 bars"),
        ({"rules": {}}, "does not trade"),
        ({"rules": {BTC: rules_of(BTC, active=False)}}, "does not trade"),
        ({"closes": {}}, "not final in time"),
        ({"closes": {BTC: None}}, "warming up"),
        ({"closes": {BTC: 0.0}}, "warming up"),
        ({"features": features_frame({BTC: 100.0}, atr_ratio=None)}, "warming up"),
        ({"features": features_frame({BTC: 100.0}, close_time=AS_OF - MINUTE)}, "not final in time"),
        ({"snapshot": snapshot_of({BTC: "1"}, equity="0")}, "no equity"),
    ],
)
def test_what_cannot_be_known_is_hold_and_says_why(case: dict[str, object], word: str) -> None:
    arguments = {"snapshot": snapshot_of({BTC: "1"})} | case
    target = row(decide({BTC: both(0.0)}, **arguments), BTC)  # type: ignore[arg-type]
    assert target["kind"] == "HOLD"
    assert word in str(target["reason"])


def test_a_held_symbol_that_is_starved_of_bars_is_held() -> None:
    """The feed of one held symbol ends 5 minutes early: no order may follow from that."""
    bars = random_bars(symbol_count=2, bar_count=300)
    starved = bars.filter((pl.col("symbol") != "S01/USDT") | (pl.col("open_time") < START + MINUTE * 295))
    targets = decided_from(starved, 300)
    assert row(targets, "S01/USDT")["kind"] == "HOLD"
    assert row(targets, "S00/USDT")["kind"] in ("SET", "FLAT")


@pytest.mark.parametrize("bar_count", [1, 40, 200])
def test_a_restart_with_a_short_look_back_holds_everything(bar_count: int) -> None:
    targets = decided_from(random_bars(symbol_count=2, bar_count=bar_count), bar_count)
    assert targets.get_column("kind").to_list() == ["HOLD", "HOLD"]


def decided_from(bars: pl.DataFrame, bar_count: int) -> pl.DataFrame:
    """The whole way from bars to targets, as the shell joins it, with both symbols held."""
    settings, as_of = Settings(), START + MINUTE * bar_count
    features = compute_features(bars.cast(BARS), settings.features)  # type: ignore[arg-type]
    signals = compute_signals(features, compute_regimes(features, settings.strategies.regimes), settings.strategies)
    names = ["S00/USDT", "S01/USDT"]
    return decide_targets(
        signals,
        features,
        snapshot_of(dict.fromkeys(names, "5"), marks=dict.fromkeys(names, "100")),
        {name: rules_of(name) for name in names},
        settings,
        decision_id="1" * 32,
        as_of=as_of,
        expires_at=as_of + MINUTE,
        universe=names,
        quarantined={},
        locks=(),
    )


def test_a_failed_strategy_holds_what_is_held_but_lets_the_other_enter() -> None:
    scores = {BTC: {"trend": 1.0, "mean_reversion": None}, ETH: {"trend": 0.0, "mean_reversion": None}}
    held = decide(scores, snapshot_of({BTC: "1", ETH: "1"}))
    assert held.get_column("kind").to_list() == ["HOLD", "HOLD"]
    empty = row(decide(scores), BTC)
    assert (empty["kind"], empty["strategy"]) == ("SET", "trend")


def test_a_missing_strategy_is_as_good_as_a_failed_one() -> None:
    assert row(decide({BTC: {"trend": 0.0}}, snapshot_of({BTC: "1"})), BTC)["kind"] == "HOLD"


def test_the_sleeves_of_two_strategies_add_up_to_the_target() -> None:
    target = row(decide({BTC: {"trend": 1.0, "mean_reversion": 0.3}}), BTC)
    sleeves = {name: Decimal(amount) for name, amount in json.loads(str(target["sleeves"])).items()}
    assert target["strategy"] == "mean_reversion+trend"
    assert sum(sleeves.values()) == target["quantity"]
    assert float(sleeves["mean_reversion"] / sleeves["trend"]) == pytest.approx(0.3, abs=1e-3)


def test_a_lock_takes_the_sleeve_of_that_strategy_only() -> None:
    locked = row(decide({BTC: both(1.0)}, locks=[("trend", BTC)]), BTC)
    assert list(json.loads(str(locked["sleeves"]))) == ["mean_reversion"]
    everything = row(decide({BTC: both(1.0)}, locks=[("trend", BTC), ("mean_reversion", BTC)]), BTC)
    assert everything["kind"] == "FLAT"
    assert "locked" in str(everything["reason"])
    assert row(decide({BTC: both(1.0)}, locks=[("trend", ETH)]), BTC)["strategy"] == "mean_reversion+trend"


def test_an_entry_that_could_not_be_sold_again_is_not_made() -> None:
    """5.00 can be bought, but at the stop's limit price less the fee it would be worth less than the minimum."""
    small = snapshot_of(equity="50.3")
    assert row(decide({BTC: both(1.0)}, small), BTC)["kind"] == "FLAT"
    assert row(decide({BTC: both(1.0)}, snapshot_of(equity="52")), BTC)["kind"] == "SET"
    held = row(decide({BTC: both(1.0)}, snapshot_of({BTC: "0.05"}, equity="50.3")), BTC)
    assert held["kind"] == "HOLD", "a limit that is a little too small must not sell what is held"


def test_when_the_room_is_too_small_for_all_the_strongest_get_it() -> None:
    scores = {BTC: both(0.4), ETH: both(0.9), SOL: both(0.6)}
    settings = Settings.model_validate({"portfolio": {"total_weight_max": "0.1", "position_weight_max": "0.1"}})
    targets = decide(scores, snapshot_of(equity="120"), settings=settings)
    assert {symbol: row(targets, symbol)["kind"] for symbol in scores} == {BTC: "FLAT", ETH: "SET", SOL: "SET"}


def test_what_is_held_is_not_traded_to_make_room_for_another() -> None:
    """Six positions of 10 % fill the total: a seventh candidate gets nothing and moves none of the six."""
    names = [f"A{number}/USDT" for number in range(6)]
    snapshot = snapshot_of(dict.fromkeys(names, "10"))
    targets = decide(dict.fromkeys([*names, BTC], both(1.0)), snapshot)
    assert {row(targets, name)["quantity"] for name in names} == {Decimal(10)}
    assert row(targets, BTC)["kind"] == "FLAT"


def test_what_is_on_hold_counts_in_the_total() -> None:
    names = [f"A{number}/USDT" for number in range(6)]
    snapshot = snapshot_of(dict.fromkeys(names[:3], "15"), marks=dict.fromkeys(names[:3], "100"))
    scores = {name: both(None if name in names[:3] else 1.0) for name in names}
    targets = decide(scores, snapshot)
    # 60 % less 3 x 15 % leaves 15 %, a third of it for each.
    assert {row(targets, name)["quantity"] for name in names[3:]} == {Decimal(5)}


def test_open_buys_count_as_if_they_were_filled() -> None:
    snapshot = snapshot_of(open_entries={ETH: "55"}, marks={ETH: "100"})
    targets = decide({BTC: both(1.0), ETH: both(None)}, snapshot)
    assert row(targets, BTC)["quantity"] == Decimal(5)


def test_noise_in_the_price_moves_the_size_by_no_more_than_the_noise() -> None:
    """A size that jumped with its inputs would cross the no-trade band again and again."""
    calm = row(decide({BTC: both(0.8)}), BTC)["quantity"]
    assert isinstance(calm, Decimal)
    for number in range(100):
        close = 100.0 * (1 + 0.001 * (-1) ** number * (number % 10) / 10)
        noisy = row(decide({BTC: both(0.8)}, closes={BTC: close}), BTC)["quantity"]
        assert isinstance(noisy, Decimal)
        assert abs(noisy / calm - 1) <= Decimal("0.0012")


def test_the_same_inputs_give_the_same_bytes_in_any_order_of_rows() -> None:
    scores: dict[str, dict[str, float | None]] = {
        BTC: both(0.7),
        ETH: both(0.4),
        SOL: {"trend": 0.2, "mean_reversion": 0.9},
    }
    backwards = {symbol: dict(reversed(list(scores[symbol].items()))) for symbol in reversed(scores)}
    assert decide(scores).equals(decide(backwards), null_equal=True)


def test_rows_of_other_bars_are_not_read() -> None:
    older = signals_frame({BTC: both(-1.0)}, close_time=AS_OF - MINUTE)
    assert older.height == 2
    mixed = pl.concat([older, signals_frame({BTC: both(1.0)})])
    assert scores_by_symbol(mixed, AS_OF) == {BTC: both(1.0)}


def test_decided_targets_are_within_limits() -> None:
    scores = dict.fromkeys([f"A{number}/USDT" for number in range(9)], both(1.0))
    snapshot = snapshot_of()
    targets = decide(scores, snapshot)
    found = targets_within_limits(
        targets, as_of=AS_OF, expected=list(scores), snapshot=snapshot, settings=Settings().portfolio
    )
    assert found.is_empty()
