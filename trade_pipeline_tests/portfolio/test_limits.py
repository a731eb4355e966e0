"""Caps hold for whatever accounts and opinions there may be."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from trade_pipeline.portfolio.limits import Wish, fit_total
from trade_pipeline.portfolio.sizing import exit_passes, round_down, round_up, split_sleeves
from trade_pipeline.quality.target_rules import targets_within_limits
from trade_pipeline.schemas.targets import Targets
from trade_pipeline.schemas.validation import validate
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.portfolio.made_account import AS_OF, decide, rules_of, snapshot_of

NAMES = [f"A{number}/USDT" for number in range(8)]
SCORES = st.one_of(st.none(), st.floats(-1, 1), st.just(float("nan")))
AMOUNTS = st.decimals(0, 40, places=4).map(str)
OPINIONS = st.dictionaries(
    st.sampled_from(NAMES), st.fixed_dictionaries({"trend": SCORES, "mean_reversion": SCORES}), min_size=1
)


@settings(max_examples=150, deadline=None)
@given(
    scores=OPINIONS,
    held=st.dictionaries(st.sampled_from(NAMES), AMOUNTS),
    resting=st.dictionaries(st.sampled_from(NAMES), AMOUNTS),
    closes=st.fixed_dictionaries({name: st.floats(0.5, 5000) for name in NAMES}),
    equity=st.decimals(1, 1_000_000, places=2).map(str),
)
def test_targets_of_any_account_are_within_their_limits(
    scores: dict[str, dict[str, float | None]],
    held: dict[str, str],
    resting: dict[str, str],
    closes: dict[str, float],
    equity: str,
) -> None:
    snapshot = snapshot_of(held, equity=equity, open_entries=resting)
    targets = decide(scores, snapshot, closes=dict(closes), universe=NAMES)
    assert not validate(Targets, targets)
    found = targets_within_limits(
        targets, as_of=AS_OF, expected=NAMES, snapshot=snapshot, settings=Settings().portfolio
    )
    assert found.is_empty(), found.get_column("message").to_list()
    for row in targets.filter(pl.col("kind") == "SET").iter_rows(named=True):
        rules = rules_of(row["symbol"])
        assert row["quantity"] % rules.amount_step == 0
        offset = Settings().exits.stop_limit_offset_ratio
        assert exit_passes(row["quantity"], row["price"], row["stop_distance"], rules, offset)


QUANTITY = st.decimals(0, 1000, places=6)
WISHES = st.dictionaries(
    st.sampled_from(NAMES),
    st.builds(Wish, wanted=QUANTITY, held=QUANTITY, price=st.decimals("0.01", 1000, places=2)),
)


@given(wishes=WISHES, budget=st.decimals(-100, 1_000_000, places=2))
def test_fitted_wishes_stay_within_the_budget_and_below_each_wish(wishes: dict[str, Wish], budget: Decimal) -> None:
    fitted = fit_total(wishes, budget)
    worth = sum((fitted[symbol] * wish.price for symbol, wish in wishes.items()), Decimal(0))
    assert worth <= max(budget, Decimal(0)) + Decimal("1e-20")
    assert all(0 <= fitted[symbol] <= wish.wanted for symbol, wish in wishes.items())


@given(
    quantity=st.integers(1, 10**9).map(lambda steps: steps * Decimal("0.0001")),
    shares=st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.decimals("0.0001", 1, places=4), min_size=1),
)
def test_sleeves_always_add_up_and_lie_on_the_grid(quantity: Decimal, shares: dict[str, Decimal]) -> None:
    sleeves = split_sleeves(quantity, shares, Decimal("0.0001"))
    assert sum(sleeves.values(), Decimal(0)) == quantity
    assert all(amount > 0 and amount % Decimal("0.0001") == 0 for amount in sleeves.values())


def test_rounding_to_a_step_is_exact() -> None:
    assert round_down(Decimal("0.3"), Decimal("0.1")) == Decimal("0.3")
    assert round_down(Decimal("0.39"), Decimal("0.1")) == Decimal("0.3")
    assert round_up(Decimal("0.31"), Decimal("0.1")) == Decimal("0.4")
    assert round_down(Decimal("1.7"), Decimal(0)) == Decimal("1.7")
