"""What a person sees in the browser of a stack that is well.

With TRADE_PIPELINE_SCREENSHOTS=docs/images the pictures of the README are taken.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trade_pipeline_tests.stack.browser import open_page
from trade_pipeline_tests.stack.running import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.browser]

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
