"""A judge that cannot find anything proves nothing: each invariant is broken once by hand, and found."""

from __future__ import annotations

from decimal import Decimal

from trade_pipeline.faults.oracle import INVARIANTS, Limits
from trade_pipeline_tests.faults.oracle.scene import (
    LIMITS,
    Scene,
)


def test_a_clean_moment_has_no_violation(scene: Scene) -> None:
    assert scene.violations() == []


def test_a_clean_moment_has_no_violation_while_faults_are_at_work(scene: Scene) -> None:
    assert scene.violations(quiet=False) == []


def test_every_invariant_but_those_named_in_the_docstring_has_a_function() -> None:
    from trade_pipeline.faults import oracle

    numbers = {int(function.__name__.split("_")[1]) for function in INVARIANTS}
    missing = set(range(1, 28)) - numbers
    assert missing == {10, 11, 19, 20}
    for number in missing:
        assert f"{number} (" in (oracle.__doc__ or ""), f"the docstring gives no reason for {number}"


def test_limits_are_those_given_not_those_of_the_judge(scene: Scene) -> None:
    tight = Limits(Decimal("0.01"), LIMITS.total_weight_max, LIMITS.unprotected_s_max)
    assert scene.broken(limits=tight) == {"15"}
