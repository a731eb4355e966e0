"""The story of an order from a real ledger, with what is missing said and not guessed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.observe.story import Sources, story_of
from trade_pipeline.observe.story_text import told
from trade_pipeline.schemas.trading import Role, Side
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import Secrets
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.fakes import make_decision, make_snapshot, make_target
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
