"""The last look at targets: each way in which they can be beyond their limits is named."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from trade_pipeline.quality.target_rules import targets_within_limits
from trade_pipeline.schemas.trading import AccountSnapshot
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.portfolio.made_account import AS_OF, BTC, ETH, both, decide, snapshot_of

SNAPSHOT = snapshot_of()
TARGETS = decide({BTC: both(1.0), ETH: both(0.0)}, SNAPSHOT)
IS_BTC = pl.col("symbol") == BTC


def found_in(targets: pl.DataFrame, snapshot: AccountSnapshot = SNAPSHOT) -> list[tuple[str | None, str]]:
    found = targets_within_limits(
        targets, as_of=AS_OF, expected=[BTC, ETH], snapshot=snapshot, settings=Settings().portfolio
    )
    return found.select("symbol", "column").rows()


def with_btc(column: str, value: object) -> pl.DataFrame:
    new = pl.lit(value, dtype=TARGETS.schema[column])
    return TARGETS.with_columns(pl.when(IS_BTC).then(new).otherwise(pl.col(column)).alias(column))


def test_good_targets_have_no_defect() -> None:
    assert found_in(TARGETS) == []


def test_a_missing_row_is_named() -> None:
    assert found_in(TARGETS.filter(~IS_BTC)) == [(BTC, "symbol")]


def test_a_second_row_is_named() -> None:
    assert (BTC, "symbol") in found_in(pl.concat([TARGETS, TARGETS.filter(IS_BTC)]))


def test_a_held_symbol_without_a_row_is_named() -> None:
    assert found_in(TARGETS, snapshot_of({"OLD/USDT": "1"})) == [("OLD/USDT", "symbol")]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("quantity", None),
        ("quantity", Decimal(0)),
        ("quantity", Decimal(-1)),
        ("kind", "SELL"),
        ("kind", "FLAT"),
        ("kind", "HOLD"),
    ],
)
def test_a_quantity_that_does_not_fit_its_kind_is_named(column: str, value: object) -> None:
    assert found_in(with_btc(column, value)) == [(BTC, "quantity")]


@pytest.mark.parametrize("column", ["score", "weight"])
def test_a_number_that_is_none_is_named(column: str) -> None:
    assert found_in(with_btc(column, float("nan"))) == [(BTC, column)]


def test_a_set_without_a_price_is_named() -> None:
    assert found_in(with_btc("price", None)) == [(BTC, "price")]


def test_a_weight_above_the_limit_is_named_whatever_its_column_says() -> None:
    doubled = with_btc("quantity", Decimal(20))
    assert found_in(doubled) == [(BTC, "quantity"), (BTC, "sleeves")]


@pytest.mark.parametrize("text", ['{"trend":"9.9"}', "not json", '{"trend":"NaN"}', '{"a":"11","b":"-1"}', None])
def test_sleeves_that_do_not_add_up_are_named(text: str | None) -> None:
    assert found_in(with_btc("sleeves", text)) == [(BTC, "sleeves")]


def test_targets_of_another_bar_are_named() -> None:
    assert set(found_in(TARGETS.with_columns(pl.col("as_of") - pl.duration(minutes=1)))) == {
        (BTC, "as_of"),
        (ETH, "as_of"),
    }


def test_a_total_above_the_limit_is_named_when_something_is_bought() -> None:
    names = [f"A{number}/USDT" for number in range(7)]
    rows = [TARGETS.filter(IS_BTC).with_columns(symbol=pl.lit(name)) for name in names]
    targets = pl.concat([TARGETS.filter(~IS_BTC), *rows])

    def defects(snapshot: AccountSnapshot) -> list[str | None]:
        found = targets_within_limits(
            targets, as_of=AS_OF, expected=[ETH], snapshot=snapshot, settings=Settings().portfolio
        )
        return found.get_column("symbol").to_list()

    assert defects(SNAPSHOT) == [None]
    assert defects(snapshot_of(dict.fromkeys(names, "10"))) == []
