"""Trades, flows and positions: booked once, exact, the same in whatever order they arrive."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Flow
from trade_pipeline.ledger.tables import APPEND_ONLY
from trade_pipeline.schemas.trading import FlowKind, OrderState, Side
from trade_pipeline_tests.fakes import START, make_decision, make_snapshot, make_target, make_trade, make_venue_order
from trade_pipeline_tests.ledger.flow import PREFIX, amount_of, buy, open_order, opening, sell, sent_order

D = Decimal


def test_a_trade_is_booked_once(ledger: Ledger) -> None:
    open_order(ledger, amount=D(3))

    first = ledger.book_trades("main", [make_trade(1), make_trade(1)], prefix=PREFIX)
    again = ledger.book_trades("main", [make_trade(1), make_trade(2)], prefix=PREFIX)

    assert [fill.trade_id for fill in first] == ["1"]
    assert [fill.trade_id for fill in again] == ["2"]
    assert amount_of(ledger) == 2
    assert ledger.last_trade_id("main", "BTC/USDT") == "2"


def test_the_last_trade_is_the_highest_number_and_not_the_last_word(ledger: Ledger) -> None:
    ledger.book_trades("main", [make_trade(9), make_trade(10)], prefix=PREFIX)

    assert ledger.last_trade_id("main", "BTC/USDT") == "10"
    assert ledger.last_trade_id("main", "ETH/USDT") is None


def test_a_foreign_trade_moves_balances_but_never_the_managed_position(ledger: Ledger) -> None:
    ledger.record_opening("main", opening(USDT="1000", BTC="2"))

    [fill] = ledger.book_trades("main", [make_trade(1, side=Side.SELL, price=D(90))], prefix=PREFIX)

    assert not fill.managed
    assert amount_of(ledger) == 0
    assert ledger.expected_balances("main") == {"BTC": D(1), "USDT": D(1090)}
    assert [event.kind for event in ledger.events("main")] == ["foreign_trade"]


def test_a_trade_of_an_order_whose_answer_was_lost_becomes_ours_when_the_order_is_found(ledger: Ledger) -> None:
    order = sent_order(ledger)
    ledger.mark_unknown(order.client_order_id, "timeout")
    [fill] = ledger.book_trades("main", [make_trade(1, "55")], prefix=PREFIX)
    assert (fill.managed, amount_of(ledger)) == (False, D(0))

    found = ledger.apply_venue_order("main", make_venue_order(order.request, "55", OrderState.FILLED, "1"), "lookup")

    assert (found.filled, amount_of(ledger)) == (D(1), D(1))
    assert ledger.fills("main")[0].managed
    assert ledger.events("main")[0].kind == "trade_unattributed"


def test_trades_from_before_the_opening_are_in_its_balances_already(ledger: Ledger) -> None:
    ledger.record_opening("main", opening(USDT="1000"))

    early = make_trade(1, at=START - timedelta(hours=2))

    assert ledger.book_trades("main", [early], prefix=PREFIX) == []
    assert ledger.expected_balances("main") == {"USDT": D(1000)}


def test_the_opening_is_recorded_once(ledger: Ledger) -> None:
    assert ledger.record_opening("main", opening(USDT="1000"))
    assert not ledger.record_opening("main", opening(USDT="5"))
    assert ledger.expected_balances("main") == {"USDT": D(1000)}


def test_opening_plus_flows_plus_fills_less_fees_is_the_balance_exactly(ledger: Ledger) -> None:
    ledger.record_opening("main", opening(USDT="1000", BTC="2", BNB="1"))
    ledger.book_flow(Flow("main", "USDT", FlowKind.DEPOSIT, D("500.10"), START, "tx-1"))
    assert not ledger.book_flow(Flow("main", "USDT", FlowKind.DEPOSIT, D("500.10"), START, "tx-1"))
    buy(ledger, 1, "0.123", "101.37", fee=D("0.000123"), fee_asset="BTC")
    sell(ledger, 2, "0.1", "102.01", fee=D("0.010201"), fee_asset="USDT")
    buy(ledger, 3, "0.05", "99.99", fee=D("0.00007"), fee_asset="BNB")

    assert ledger.expected_balances("main") == {
        "BTC": D(2) + D("0.123") - D("0.000123") - D("0.1") + D("0.05"),
        "USDT": D("1500.10") - D("0.123") * D("101.37") + D("10.201") - D("0.010201") - D("0.05") * D("99.99"),
        "BNB": D("0.99993"),
    }
    assert amount_of(ledger) == D("0.123") - D("0.000123") - D("0.1") + D("0.05")


def test_a_base_fee_reduces_the_quantity_and_a_quote_fee_stays_beside(ledger: Ledger) -> None:
    buy(ledger, 1, "1", "100", fee=D("0.001"), fee_asset="BTC")
    buy(ledger, 2, "1", "110", fee=D("0.11"), fee_asset="USDT")

    position = ledger.position("main", "BTC/USDT")
    assert position is not None
    assert (position.amount, position.cost_quote) == (D("1.999"), D("209.9"))
    assert position.fees_quote == D("0.21")


def test_a_fee_in_a_third_asset_is_converted_when_its_price_is_known(ledger: Ledger) -> None:
    open_order(ledger, amount=D(2))
    fee: dict[str, Any] = {"fee": D("0.01"), "fee_asset": "BNB"}

    [known] = ledger.book_trades("main", [make_trade(1, **fee)], prefix=PREFIX, prices={"BNB": D(600)})
    [unknown] = ledger.book_trades("main", [make_trade(2, **fee)], prefix=PREFIX)

    assert (known.fee_quote, unknown.fee_quote) == (D(6), None)
    assert ledger.fees_paid("main") == 6
    assert [event.kind for event in ledger.events("main")] == ["fee_without_price"]


def test_a_fee_that_another_symbols_trade_took_reduces_the_position_that_paid_it(ledger: Ledger) -> None:
    open_order(ledger, 1, symbol="BNB/USDT", amount=D(2))
    ledger.book_trades("main", [make_trade(1, "1", symbol="BNB/USDT", amount=D(2), price=D(600))], prefix=PREFIX)
    buy(ledger, 2, "1", "100", fee=D("0.5"), fee_asset="BNB")

    assert amount_of(ledger, "BNB/USDT") == D("1.5")


def test_the_change_of_equity_is_realised_plus_unrealised_less_fees(ledger: Ledger) -> None:
    ledger.record_opening("main", opening(USDT="1000"))
    buy(ledger, 1, "3", "100", fee=D("0.003"), fee_asset="BTC")
    buy(ledger, 2, "1", "107", fee=D("0.107"), fee_asset="USDT")
    sell(ledger, 3, "1.5", "111", fee=D("0.1665"), fee_asset="USDT")
    sell(ledger, 4, "0.25", "90", fee=D("0.0005"), fee_asset="BTC")
    mark = D("104.5")

    position = ledger.position("main", "BTC/USDT")
    assert position is not None
    equity = ledger.expected_balances("main")["USDT"] + position.amount * mark
    unrealised = position.amount * mark - position.cost_quote
    assert equity - 1000 == ledger.realised("main") + unrealised - ledger.fees_paid("main")


def test_append_only_tables_refuse_change(ledger: Ledger, ledger_url: str) -> None:
    buy(ledger, 1, "1", "100")
    engine = create_engine(ledger_url)
    for table in APPEND_ONLY:
        column = next(column.name for column in table.columns if column.identity is None)
        for statement in (
            f"UPDATE {table.fullname} SET {column} = {column}",
            f"DELETE FROM {table.fullname}",
            f"TRUNCATE {table.fullname} CASCADE",
        ):
            refusal = pytest.raises(DBAPIError, match="append-only")
            with refusal, engine.begin() as connection:
                connection.execute(text(statement))
    engine.dispose()
    assert len(ledger.fills("main")) == 1


def test_an_order_is_explained_from_its_bars_to_its_position(ledger: Ledger) -> None:
    decision = make_decision()
    ledger.record_decision(decision, make_snapshot(), [make_target(), make_target(symbol="ETH/USDT")])
    ledger.record_outcome(decision.decision_id, "plan", "orders", {"orders": 1, "latency_s": D("0.25")})
    buy(ledger, 1, "1", "100", decision_id=decision.decision_id)

    chain = json.loads(json.dumps(ledger.explain("1")))

    assert chain["decision"]["inputs"]["bars"] == {"version": 3, "hash": "ab", "rows": 600}
    assert chain["snapshot"]["snapshot_id"] == "snapshot-1"
    assert (chain["target"]["symbol"], chain["targets_count"]) == ("BTC/USDT", 2)
    assert chain["intent"]["intent_id"] == chain["order"]["intent_id"] == "intent-1"
    assert [event["state"] for event in chain["order_events"]] == ["PLANNED", "SENT", "OPEN", "FILLED"]
    assert [fill["trade_id"] for fill in chain["fills"]] == ["1"]
    assert chain["position"]["amount"] == "1"
    assert chain["outcomes"][0]["detail"] == {"orders": 1, "latency_s": "0.25"}
    assert ledger.explain(chain["order"]["client_order_id"]) == ledger.explain("1")


def test_a_thousand_fills_are_booked_in_one_transaction(ledger_url: str) -> None:
    heard: list[str] = []
    ledger = Ledger(ledger_url, watch=heard.append)
    open_order(ledger, amount=D(1000))
    trades = [make_trade(number, fee=D("0.1")) for number in range(1, 1001)]

    heard.clear()
    ledger.book_trades("main", trades, prefix=PREFIX)

    assert heard == ["before_commit", "after_commit"]
    assert amount_of(ledger) == 1000
    ledger.close()
