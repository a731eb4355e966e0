"""Rules of real exchanges on the engine's grid."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trade_pipeline.exchange.paper.specs import fees_of, spec_of
from trade_pipeline_tests.exchange.paper.scripted_market import rules


@pytest.mark.parametrize(
    ("tick", "step", "kept_tick", "kept_step"),
    [
        ("0.01", "0.00001", "0.01", "0.00001"),
        ("0.05", "0.001", "0.05", "0.001"),
        ("10", "0.1", "10", "0.1"),
        ("0.1", "0.00000001", "0.1", "0.0000001"),
        ("0.00000001", "100", "0.00000001", "100"),
    ],
)
def test_the_grid_is_kept_or_made_coarser(tick: str, step: str, kept_tick: str, kept_step: str) -> None:
    spec = spec_of(rules(price_tick=Decimal(tick), amount_step=Decimal(step)))
    assert spec is not None
    assert (spec.tick, spec.step) == (Decimal(kept_tick), Decimal(kept_step))


def test_a_price_finer_than_a_balance_is_left_out() -> None:
    assert spec_of(rules(price_tick=Decimal("0.0000000001"))) is None


def test_fees_are_the_highest_of_the_symbols() -> None:
    fees = fees_of([rules(), rules(maker_fee_rate=Decimal("0.004"))])
    assert (fees.maker_rate, fees.taker_rate) == (Decimal("0.004"), Decimal("0.002"))
