"""What a person sees in the browser, and a broken feed end to end: red check, no order, recovery by itself.

With TRADE_PIPELINE_SCREENSHOTS=docs/images the pictures of the README are taken.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trade_pipeline.schemas.trading import TargetKind
from trade_pipeline_tests.stack.browser import chromium_path, open_page
from trade_pipeline_tests.stack.running import RunningStack, awaited

pytestmark = [pytest.mark.stack, pytest.mark.browser]

SYMBOL = "BTC/USDT"
RUNS = """query { runsOrError(filter: {pipelineName: "decide", statuses: [SUCCESS]}, limit: 1) {
    ... on Runs { results { runId } } } }"""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("TRADE_PIPELINE_SCREENSHOTS", tmp_path)).resolve()


def test_lineage_shows_every_asset_from_bars_to_targets(stack: RunningStack, pictures: Path) -> None:
    with open_page(2400, 860) as page:
        page.goto(f"{stack.ui_url}/assets/approved_targets?view=lineage&lineageScope=upstream&lineageDepth=9")
        for name in ("raw_bars", "bars", "features", "regimes", "signals", "target_positions", "approved_targets"):
            page.get_by_text(name, exact=True).first.wait_for()
        page.wait_for_timeout(1500)  # the graph moves into place
        page.screenshot(path=str(pictures / "lineage.png"))


def test_a_decision_run_shows_its_steps(stack: RunningStack, pictures: Path) -> None:
    (run,) = stack.graphql(RUNS)["runsOrError"]["results"]
    with open_page() as page:
        page.goto(f"{stack.ui_url}/runs/{run['runId']}")
        page.get_by_text("approved_targets").first.wait_for()
        page.get_by_text("Success").first.wait_for()
        page.screenshot(path=str(pictures / "run.png"))


def test_a_broken_feed_is_red_with_its_rows_holds_its_symbol_alone_and_recovers(
    stack: RunningStack, pictures: Path
) -> None:
    chromium_path()
    stack.inject({"kind": "negative_price", "symbol": SYMBOL})
    try:
        decision_id = awaited(lambda: _decided(stack, held=True), 180, "a decision that holds the symbol", stack)
        targets = {target.symbol: target for target in stack.ask(lambda ledger: ledger.targets(decision_id))}
        assert targets[SYMBOL].kind == TargetKind.HOLD, "a held symbol is neither bought nor sold"
        assert [symbol for symbol, target in targets.items() if "quarantined" in target.reason] == [SYMBOL]
        awaited(lambda: _status(stack) == "FAILED" or None, 60, "a failed check", stack)
        with open_page() as page:
            page.goto(f"{stack.ui_url}/assets/raw_bars?view=checks&checkDetail=non_positive_price")
            page.get_by_text("Failed").first.wait_for()
            page.get_by_text(SYMBOL).first.wait_for()
            page.screenshot(path=str(pictures / "failing_check.png"))
    finally:
        stack.heal()
    healed_at = datetime.now(UTC)
    awaited(lambda: stack.executed_after(healed_at) or None, 180, "a decision after the feed recovered", stack)
    awaited(lambda: _decided(stack, held=False), 120, "a decision that holds nobody", stack)
    awaited(lambda: _status(stack) == "SUCCEEDED" or None, 60, "the check green again", stack)


def _decided(stack: RunningStack, *, held: bool) -> str | None:
    """The newest decision, if it holds the symbol, or does not."""
    decision = stack.ask(lambda ledger: ledger.newest_decision("main"))
    if decision is None:
        return None
    quarantined = decision.detail.get("quarantined")
    return decision.decision_id if (SYMBOL in (quarantined or {})) == held else None  # type: ignore[operator]  # JSON


def _status(stack: RunningStack) -> str | None:
    execution = stack.check("raw_bars", "non_positive_price")
    return str(execution["status"]) if execution else None
