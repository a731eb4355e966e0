"""The story of an order from a real ledger, with what is missing said and not guessed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import GuardVerdict
from trade_pipeline.observe.story import Sources, story_of
from trade_pipeline.observe.story_text import told
from trade_pipeline.schemas.trading import Role, Side
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import Secrets
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.fakes import START, make_decision, make_snapshot, make_target
from trade_pipeline_tests.ledger.flow import PREFIX, buy, open_order


@pytest.fixture
def sources(tmp_path: Path, ledger: Ledger, ledger_url: str) -> Sources:
    decision = make_decision()
    ledger.record_decision(decision, make_snapshot(decision.snapshot_id), [make_target()])
    return Sources(Home.at(tmp_path), Settings(), Secrets(ledger_url=ledger_url), ledger, None)


def test_an_entry_is_told_with_its_decision_inputs_and_fills(sources: Sources) -> None:
    buy(sources.ledger, 1, "2", "100", decision_id="d" * 32)
    text = "\n".join(told(story_of(f"{PREFIX}{1:028x}", sources)))
    for part in ("entry order", "decision", "d" * 32, "inputs", "target", "intent", "fills", "at 100", "position now"):
        assert part in text, part
    assert "not known: recorded_bar: no stack runs" in text


def test_the_buy_guards_words_are_told_with_value_limit_verdict_and_reason(sources: Sources) -> None:
    passed = GuardVerdict("d" * 32, "BTC/USDT", "spread", True, "0.20%", "1.00%", "0.20% spread", START)
    refused = replace(passed, symbol="ETH/USDT", passed=False, value="3.00%", reason="3.00% spread")
    quiet = replace(refused, guard="volume", passed=True, value="unknown")
    sources.ledger.record_verdicts([passed, refused, quiet])
    buy(sources.ledger, 1, "2", "100", decision_id="d" * 32)

    lines = [line.strip() for line in told(story_of(f"{PREFIX}{1:028x}", sources))]

    begin = lines.index("buy guards: 1 of 1 passed")
    assert lines[begin + 1].split(maxsplit=1) == ["spread", "passed  0.20%, limit 1.00%: 0.20% spread"]
    assert lines[begin + 2] == "refused by a buy guard in the same decision"
    assert lines[begin + 3].split(maxsplit=1) == ["ETH/USDT", "spread: refused 3.00%, limit 1.00%: 3.00% spread"]
    assert not any("unknown" in line for line in lines), "what passed of other symbols is in the JSON only"


def test_a_stops_story_has_the_guards_of_the_entry_behind_it(sources: Sources) -> None:
    verdict = GuardVerdict("d" * 32, "BTC/USDT", "budget", True, "200.00", "1000", "positions would have cost", START)
    sources.ledger.record_verdicts([verdict])
    buy(sources.ledger, 1, "2", "100", decision_id="d" * 32)
    open_order(sources.ledger, 2, amount=Decimal(2), side=Side.SELL, role=Role.PROTECT)
    assert [item["guard"] for item in story_of(f"{PREFIX}{2:028x}", sources)["guards"]] == ["budget"]


def test_a_protective_order_leads_to_the_entry_it_protects(sources: Sources) -> None:
    buy(sources.ledger, 1, "2", "100", decision_id="d" * 32)
    open_order(sources.ledger, 2, amount=Decimal(2), side=Side.SELL, role=Role.PROTECT)
    story = story_of(f"{PREFIX}{2:028x}", sources)
    assert story["caused_by"]["order"]["client_order_id"] == f"{PREFIX}{1:028x}"
    text = "\n".join(told(story))
    assert "It follows from the entry" in text
    assert "d" * 32 in text


def test_an_order_that_nobody_knows_is_refused(sources: Sources) -> None:
    with pytest.raises(LedgerError, match="no order has this id"):
        story_of("nobody", sources)


def test_a_real_exchange_is_not_asked_for_recordings_and_is_not_shown_the_secret(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urllib.request.Request", lambda *_, **__: pytest.fail("it was asked"))
    live = replace(sources, settings=Settings(mode="live"), exchange_url="https://exchange.example")
    buy(sources.ledger, 1, "2", "100", decision_id="d" * 32)
    assert "the exchange is a real one" in "\n".join(told(story_of(f"{PREFIX}{1:028x}", live)))
