"""`explain` without an id lists orders that it can tell of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trade_pipeline.commands.orders import show_orders
from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline_tests.commands.test_conflicts import home
from trade_pipeline_tests.fakes import make_intent, make_request

__all__ = ["home"]


def test_no_order_is_said(home: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    show_orders(home, as_json=False)
    assert capsys.readouterr().out == "there is no order yet\n"


def test_an_order_is_told_with_the_id_that_explain_takes(
    home: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    order = ledger.plan_order(make_intent(), make_request())
    show_orders(home, as_json=False)
    _, line, after = capsys.readouterr().out.splitlines()
    told = line.split()
    assert told[0] == order.client_order_id
    assert told[3:6] == [order.symbol, order.role, order.request.side]
    assert told[7] == "PLANNED"
    assert "explain ID" in after
    assert ledger.explain(told[0])["order"]

    show_orders(home, as_json=True)
    (row,) = json.loads(capsys.readouterr().out)
    assert row["client_order_id"] == order.client_order_id


def test_an_id_that_is_none_names_the_list(home: Path, ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="`trade-pipeline explain` without an id lists the newest orders"):
        ledger.explain("nonsense")
