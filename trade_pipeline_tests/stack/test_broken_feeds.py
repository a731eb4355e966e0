"""Every kind of broken feed at once on a running stack, one symbol each: what a person sees, and what is not ordered.

With TRADE_PIPELINE_SCREENSHOTS=docs/images the picture of the README is taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from trade_pipeline.defs.partitions import last_close
from trade_pipeline.exchange.faults import FEED_KINDS
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Decision, Target
from trade_pipeline.schemas.trading import Role, TargetKind
from trade_pipeline_tests.stack.browser import chromium_path, open_page
from trade_pipeline_tests.stack.running import RunningStack, awaited, traded_once

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.stack, pytest.mark.browser]

BAR_AGE_S_MAX = 55
"""A fault that comes later in a minute might meet the next one."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The check that is red for a kind of fault, what its row says beside the symbol, and whether orders stop."""

    rule: str
    value: str
    holds: bool = True


SHOWN: Mapping[str, Shown] = {
    "negative_price": Shown("non_positive_price", "a price must be above 0"),
    "high_below_low": Shown("high_low_enclose", "high"),
    "gap": Shown("gap", "1 missing"),
    "stale": Shown("staleness", "s before the decision"),
    "duplicate": Shown("duplicate", "2 times, all equal", holds=False),
    "conflicting_duplicate": Shown("duplicate", "2 different rows"),
    "revised_candle": Shown("revised_candle", "was changed", holds=False),
}
UNSEEN = "other_price"
"""Sound in itself; only a second source can tell, and this stack has none."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Of its own, and gone before the worker's next: the folder's would trade on beside that one."""
    with traded_once(tmp_path_factory.mktemp("broken_feeds")) as running:
        yield running


def test_each_broken_feed_is_red_with_its_row_holds_its_symbol_alone_and_clears_by_itself(
    stack: RunningStack, tmp_path: Path
) -> None:
    chromium_path()
    assert {*SHOWN, UNSEEN} == set(FEED_KINDS)
    awaited(lambda: _is_fresh(stack) or None, 90, "the decision on the newest bar", stack)
    symbols = sorted(target.symbol for target in _newest_targets(stack))
    broken = dict(zip(SHOWN, symbols, strict=False))
    held = {broken[kind] for kind, shown in SHOWN.items() if shown.holds}
    injected_at = datetime.now(UTC)
    try:
        for kind, symbol in broken.items():
            stack.inject({"kind": kind, "symbol": symbol})
        awaited(lambda: _quarantined(stack) == held or None, 240, f"a decision that holds {held}", stack)
        red = {shown.rule for shown in SHOWN.values()}
        awaited(lambda: red <= _with_status(stack, "FAILED") or None, 90, f"{red} red", stack)
        with open_page() as page:
            for kind, shown in SHOWN.items():
                _assert_red_with_its_row(page, stack, shown, broken[kind])
            page.goto(f"{stack.ui_url}/assets/raw_bars?view=checks&checkDetail=non_positive_price")
            page.get_by_role("cell", name=broken["negative_price"]).first.wait_for()
            page.screenshot(path=str(_pictures(tmp_path) / "failing_check.png"))
    finally:
        stack.heal()
    stack.ask(lambda ledger: _assert_ordered(ledger, injected_at, broken, held))
    awaited(lambda: _is_free_again(stack, held) or None, 180, "a decision that holds nobody", stack)
    green = {shown.rule for shown in SHOWN.values()}
    awaited(lambda: green <= _with_status(stack, "SUCCEEDED") or None, 120, "every check green again", stack)


def _assert_red_with_its_row(page: Page, stack: RunningStack, shown: Shown, symbol: str) -> None:
    page.goto(f"{stack.ui_url}/assets/raw_bars?view=checks&checkDetail={shown.rule}")
    row = page.get_by_role("row").filter(has_text=symbol).filter(has_text=shown.rule)
    row.filter(has_text=shown.value).first.wait_for()
    page.get_by_text("Evaluation result").locator("..").get_by_text("Failed").wait_for()


def _assert_ordered(ledger: Ledger, since: datetime, broken: Mapping[str, str], held: set[str]) -> None:
    """Of every decision since then: no order for whom it holds; from the second bar on all of them are held, and no
    other symbol for its bars. One at least was executed meanwhile."""
    decisions = ledger.decisions_between("main", since, datetime(9999, 1, 1, tzinfo=UTC))
    intended = {
        (intent.decision_id, order.symbol)
        for order in ledger.orders("main", since)
        if order.role in (Role.ENTRY, Role.EXIT) and (intent := ledger.intent(order.intent_id)) is not None
    }
    executed = set()
    for decision in decisions:
        targets = {target.symbol: target for target in ledger.targets(decision.decision_id)}
        for symbol in held:
            assert targets[symbol].kind == TargetKind.HOLD, (decision.as_of, targets[symbol])
            assert (decision.decision_id, symbol) not in intended
        assert _held_by(decision) <= held, decision.detail
        if any(outcome.stage == "execute" for outcome in ledger.outcomes(decision.decision_id)):
            executed.add(decision.decision_id)
            going_on = {symbol for symbol, target in targets.items() if target.kind != TargetKind.HOLD}
            assert going_on, "the others' decision goes on"
    assert executed, "a feed that is broken for some stops no decision"


def _newest(stack: RunningStack) -> Decision | None:
    return stack.ask(lambda ledger: ledger.newest_decision("main"))


def _is_fresh(stack: RunningStack) -> bool:
    """Whether the newest bar is decided on, and the next one is not near."""
    now, decision = datetime.now(UTC), _newest(stack)
    return decision is not None and decision.as_of == last_close(now) and now.second < BAR_AGE_S_MAX


def _newest_targets(stack: RunningStack) -> list[Target]:
    decision = _newest(stack)
    assert decision is not None
    return stack.ask(lambda ledger: ledger.targets(decision.decision_id))


def _held_by(decision: Decision) -> set[str]:
    quarantined = decision.detail.get("quarantined")
    return set(quarantined) if isinstance(quarantined, Mapping) else set()


def _quarantined(stack: RunningStack) -> set[str]:
    decision = _newest(stack)
    return _held_by(decision) if decision else set()


def _is_free_again(stack: RunningStack, held: set[str]) -> bool:
    """Whether the newest decision holds nobody, and wants something again of those that were held."""
    targets = {target.symbol: target for target in _newest_targets(stack)}
    return not _quarantined(stack) and all(targets[symbol].kind != TargetKind.HOLD for symbol in held)


def _with_status(stack: RunningStack, status: str) -> set[str]:
    return {rule for rule, execution in stack.checks("raw_bars").items() if execution and execution["status"] == status}


def _pictures(otherwise: Path) -> Path:
    return Path(os.environ.get("TRADE_PIPELINE_SCREENSHOTS", otherwise)).resolve()
