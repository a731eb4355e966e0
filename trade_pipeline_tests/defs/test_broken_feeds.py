"""A broken feed of each kind stops exactly the orders it should, shows its rows, and clears by itself."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
import polars as pl

from trade_pipeline.definitions import defs
from trade_pipeline.ledger.records import Target
from trade_pipeline_tests.defs.conftest import TestStack, decision_of, metadata_of, settle_in_minute

DECISIONS_MAX = 6

HELD_BY: Mapping[str, str | None] = {
    "negative_price": "non_positive_price",
    "high_below_low": "high_low_enclose",
    "stale": None,  # its bar is late: HOLD before any rule is asked
    "gap": None,  # the newest candle is not there, which is the same
}
"""Kind of fault -> the rule that is red."""
HARMLESS = ("duplicate", "revised_candle")


def decided(stack: TestStack) -> dg.ExecuteInProcessResult:
    """A decision of every symbol; the first ones of a lake without history may come too late on a busy machine."""
    for _ in range(DECISIONS_MAX):
        settle_in_minute(50)  # a decision is executed within 30 s of its bar
        result = stack.decide(check=False)
        if result.success and all("not final" not in target.reason for target in targets_of(stack, result).values()):
            return result
    raise AssertionError("no decision in which every bar was there")


def targets_of(stack: TestStack, result: dg.ExecuteInProcessResult) -> dict[str, Target]:
    return {target.symbol: target for target in stack.open.ledger.targets(decision_of(result))}


def failed(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations() if not check.passed}


def test_each_kind_holds_its_symbol_alone_is_red_and_clears_by_itself(stack: TestStack) -> None:
    clean = decided(stack)
    assert not failed(clean), failed(clean)
    symbol, *others = sorted(targets_of(stack, clean))
    for kind, rule in HELD_BY.items():
        stack.fault(kind=kind, symbol=symbol)
        settle_in_minute(50)
        broken = stack.decide()
        targets = targets_of(stack, broken)
        assert targets[symbol].kind == "HOLD", (kind, targets[symbol])
        assert not [other for other in others if "quarantined" in targets[other].reason], kind
        assert set(failed(broken)) == ({rule} if rule else set()), kind
        if rule is not None:
            assert "quarantined" in targets[symbol].reason
            check = failed(broken)[rule]
            assert check.severity == dg.AssetCheckSeverity.ERROR
            assert symbol in str(check.metadata["failing_rows"].value)
            _assert_kept_with_its_reason(stack, broken, symbol, rule)
            _assert_shown(stack, symbol)
        assert stack.execute(decision_of(broken)).success
        outcomes = {outcome.stage: outcome for outcome in stack.open.ledger.outcomes(decision_of(broken))}
        assert outcomes["gate"].outcome == "open", (kind, outcomes["gate"].detail)
        stack.no_faults()
        healed = decided(stack)
        assert "quarantined" not in targets_of(stack, healed)[symbol].reason, kind
        assert not failed(healed), (kind, failed(healed))


def test_what_a_feed_repeats_or_corrects_holds_nobody(stack: TestStack) -> None:
    symbol = sorted(targets_of(stack, decided(stack)))[0]
    for kind in HARMLESS:
        stack.fault(kind=kind, symbol=symbol)
        assert "quarantined" not in targets_of(stack, decided(stack))[symbol].reason, kind
        stack.no_faults()


def test_a_feed_that_is_bad_in_breadth_stops_the_decision(stack: TestStack) -> None:
    clean = decided(stack)
    for symbol in sorted(targets_of(stack, clean))[:3]:
        stack.fault(kind="negative_price", symbol=symbol)
    settle_in_minute(20)
    broken = stack.decide(check=False)
    assert not broken.success
    assert "breadth" in failed(broken)
    newest = stack.open.ledger.newest_decision("main")
    assert newest is not None and newest.decision_id == decision_of(clean)
    stack.no_faults()
    assert not failed(decided(stack))


def _assert_kept_with_its_reason(stack: TestStack, result: dg.ExecuteInProcessResult, symbol: str, rule: str) -> None:
    """In the lake and with the decision, from where it is taken again."""
    decision = stack.open.ledger.decision(decision_of(result))
    assert decision is not None
    detail: Mapping[str, object] = decision.detail
    quarantined = detail["quarantined"]
    assert isinstance(quarantined, Mapping) and list(quarantined) == [symbol]
    kept = stack.open.lake.read("quarantined_bars", [decision.partition]).filter(pl.col("rules") == rule)
    assert kept.get_column("symbol").to_list() == [symbol]
    scores = stack.open.lake.read("quality_scores", [decision.partition])
    assert scores.filter(pl.col("held").is_not_null()).get_column("symbol").to_list() == [symbol]


def _assert_shown(stack: TestStack, symbol: str) -> None:
    """As a report with a plot."""
    result = defs.resolve_job_def("reports").execute_in_process(instance=stack.instance)
    shown = metadata_of(result, "data_quality")
    assert symbol in str(shown["held_symbols"]) and symbol in str(shown["in_quarantine"])
    assert str(shown["scores_by_day"]).startswith("![Quality score by day](data:image/png;base64,")
