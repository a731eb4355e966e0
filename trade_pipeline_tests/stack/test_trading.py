"""The loop on a running stack: decisions become orders, orders positions, and everybody agrees on them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from trade_pipeline.execution.rounding import is_dust
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import OrderState, Role
from trade_pipeline_tests.observe.metrics.scraped import read
from trade_pipeline_tests.stack.running import EXCHANGE_POLL_S, RunningStack, awaited

pytestmark = pytest.mark.stack

DECIDED_LATELY_S = 300
"""Bars close every minute: five of them without a decision are not a running stack."""


def test_every_position_has_a_stop_resting_on_the_exchange(stack: RunningStack) -> None:
    def all_protected() -> bool:
        positions = stack.ask(lambda ledger: ledger.positions("main"))
        venue = stack.venue()
        try:
            resting = {order.symbol for order in venue.open_orders() if order.stop_price}
            rules = venue.markets()
        finally:
            venue.close()
        # What a sale leaves below the exchange's minimum is residue, for which no stop is accepted.
        held = {p.symbol for p in positions if not is_dust(p.amount, p.average_price or Decimal(0), rules[p.symbol])}
        return bool(held) and held <= resting

    awaited(all_protected, 40, "a stop for every position", stack, EXCHANGE_POLL_S)


def test_balances_and_orders_of_the_ledger_equal_the_exchange(stack: RunningStack) -> None:
    awaited(stack.ledger_equals_exchange, 40, "ledger and exchange agree", stack, EXCHANGE_POLL_S)


def test_a_filled_order_is_explained_back_to_its_bars(stack: RunningStack) -> None:
    order_id = stack.ask(_first_entry)
    answer = stack.command("explain", order_id, "--json")
    assert answer.returncode == 0, answer.stderr
    story = json.loads(answer.stdout)
    symbol = story["order"]["symbol"]
    assert story["decision"]["inputs"]["bars"]["hash"]
    assert story["decision"]["inputs"]["bars"]["version"] >= 0
    (features,) = story["data"]["features"]
    assert features["close_time"] == story["decision"]["as_of"]
    assert {signal["strategy"] for signal in story["data"]["signals"]} >= set(story["intent"]["sleeves"])
    assert story["checks"], story["unavailable"]
    assert story["target"]["symbol"] == symbol
    assert sum(Decimal(fill["amount"]) for fill in story["fills"]) == Decimal(story["order"]["filled"])


def test_a_recomputed_day_has_the_targets_that_were_decided_live(stack: RunningStack) -> None:
    today = datetime.now(UTC).date().isoformat()
    answer = stack.command("backfill", "--from", today, "--to", today)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    check = stack.newest_execution("target_positions", "recomputed_equals_live")
    assert check is not None
    evaluation = check["evaluation"]
    numbers = {entry["label"]: entry.get("intValue") for entry in evaluation["metadataEntries"]}
    assert evaluation["success"], numbers
    assert numbers["decisions_recomputed"] >= 1
    assert numbers["decisions_different"] == 0


def test_the_plan_can_be_seen_without_sending_anything(stack: RunningStack) -> None:
    before = stack.ask(lambda ledger: len(ledger.orders("main")))
    answer = stack.command("plan", "--dry-run")
    assert answer.returncode == 0, answer.stderr
    assert "USDT" in answer.stdout
    entries = stack.ask(lambda ledger: [o for o in ledger.orders("main") if o.role == Role.ENTRY])
    assert before <= stack.ask(lambda ledger: len(ledger.orders("main")))
    assert all(order.state != OrderState.PLANNED for order in entries)


def test_a_scraper_reads_every_part_of_the_running_stack(stack: RunningStack) -> None:
    answer = httpx.get(f"{stack.ui_url}/metrics", timeout=30)
    assert answer.status_code == 200, answer.text
    told = read(answer.text)
    assert [part for part, failed in told.labelled("collect_failed").items() if failed] == []
    assert told.one("positions") > 0
    assert told.one("last_decision_age_seconds") < DECIDED_LATELY_S
    assert set(told.labelled("process_up").values()) == {1.0}
    assert sum(told.labelled("source_requests_total").values()) > 0
    assert told.labelled("quality_score")


def _first_entry(ledger: Ledger) -> str:
    filled = [order for order in ledger.orders("main") if order.role == Role.ENTRY and order.filled]
    return filled[-1].client_order_id
