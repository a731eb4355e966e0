"""Positions, sleeves and closed trades: what fills add up to, also when they are made again."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import create_engine, text

from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Flow
from trade_pipeline.schemas.trading import FlowKind, Role, Side
from trade_pipeline_tests.fakes import START, make_trade
from trade_pipeline_tests.ledger.flow import PREFIX, amount_of, buy, open_order, opening, sell
from trade_pipeline_tests.shared import shared_path

D = Decimal


def test_coins_that_were_there_before_are_no_position_until_they_are_adopted(ledger: Ledger) -> None:
    ledger.record_opening("main", opening(USDT="0", BTC="2"))
    assert ledger.positions("main") == []

    assert ledger.adopt("main", "BTC/USDT", D("0.5"), D(100), START, "by hand")
    assert not ledger.adopt("main", "BTC/USDT", D("0.5"), D(100), START, "by hand")

    [position] = ledger.positions("main")
    assert (position.amount, position.cost_quote) == (D("0.5"), D(50))
    assert ledger.expected_balances("main")["BTC"] == 2


def test_sleeves_add_up_to_the_position_exactly(ledger: Ledger) -> None:
    shares = {"mean_reversion": D(1) / D(3), "trend": D(2) / D(3)}
    buy(ledger, 1, "0.1", "100", sleeves=shares, fee=D("0.0001"), fee_asset="BTC")
    buy(ledger, 2, "0.07", "100", sleeves={"trend": D(1)})
    sell(ledger, 3, "0.05", "100", sleeves={"mean_reversion": D(1)})

    sleeves = ledger.sleeves("main", "BTC/USDT")
    assert sum(sleeves.values()) == amount_of(ledger)
    assert all(amount > 0 for amount in sleeves.values())


def test_a_round_trip_is_a_closed_trade_with_the_reason_of_its_exit(ledger: Ledger) -> None:
    buy(ledger, 1, "1", "100", fee=D("0.1"), fee_asset="USDT")
    sell(ledger, 2, "1", "95", fee=D("0.095"), fee_asset="USDT", reason="stop", role=Role.PROTECT)
    buy(ledger, 3, "1", "90")

    [trade] = ledger.closed_trades("main")
    assert (trade.entry_price, trade.exit_price, trade.amount) == (D(100), D(95), D(1))
    assert (trade.profit_quote, trade.fees_quote) == (D("-5.195"), D("0.195"))
    assert (trade.exit_reason, trade.strategy) == ("stop", "trend")
    assert (trade.opened_at, trade.closed_at) == (START + timedelta(seconds=1), START + timedelta(seconds=2))


def test_dust_that_no_order_can_sell_does_not_keep_a_trade_open(ledger: Ledger) -> None:
    buy(ledger, 1, "1", "100", fee=D("0.001"), fee_asset="BTC")
    sell(ledger, 2, "0.99", "101")

    assert len(ledger.closed_trades("main")) == 1
    assert amount_of(ledger) == D("0.009")


def test_a_sale_beyond_the_position_is_an_event_and_never_a_short(ledger: Ledger) -> None:
    buy(ledger, 1, "1", "100")
    order = open_order(ledger, 2, side=Side.SELL, role=Role.EXIT)
    # A second sale fills more than there is: the exchange's word, against our own checks.
    trade = make_trade(2, "2", side=Side.SELL, amount=D("1.5"))
    ledger.book_trades("main", [trade], prefix=PREFIX)

    assert amount_of(ledger) == 0
    assert {event.kind for event in ledger.events("main")} == {"overfilled", "sold_above_position"}
    after = ledger.order(order.client_order_id)
    assert after is not None and after.filled == D("1.5")


def test_published_fill_sequences_give_the_published_positions(ledger: Ledger) -> None:
    """Cases that go short do not apply: spot is long only, and a sale beyond the position is an error here."""
    cases = json.loads(shared_path("cases/fills_to_position.json").read_text())["cases"]
    skipped, checked = [], 0
    for number, case in enumerate(cases):
        held, symbol = D(0), f"C{number}/USDT"
        if any((held := held + D(f["qty"]) * (1 if f["side"] == "buy" else -1)) < 0 for f in case["fills"]):
            skipped.append(case["id"])
            continue
        flat_at = replay(ledger, symbol, number * 100, case["fills"])
        checked += 1
        position, expected = ledger.position("main", symbol), case["expected"]
        assert position is not None
        if "qty" in expected:
            assert (position.amount, position.cost_quote) == (D(expected["qty"]), D(expected["value"])), case["id"]
        if "avg_px" in expected:
            assert position.average_price == D(expected["avg_px"]), case["id"]
        if "crossing_ts" in expected:
            assert flat_at == expected["crossing_ts"]
            assert len([t for t in ledger.closed_trades("main") if t.symbol == symbol]) == expected["n_zero_crossings"]
    assert skipped == ["simulate_position_close_and_flip", "simulate_position_short_partial_close"]
    assert checked == 4


def replay(ledger: Ledger, symbol: str, first: int, fills: list[dict[str, str]]) -> list[int]:
    """Book the fills, each by an order of its own; the times at which the position became flat."""
    flat_at = []
    for number, fill in enumerate(fills, start=first):
        side = Side(fill["side"])
        role = Role.ENTRY if side == Side.BUY else Role.EXIT
        open_order(ledger, number, symbol=symbol, side=side, role=role, amount=D(fill["qty"]))
        at = START + timedelta(milliseconds=int(fill["ts"]))
        trade = make_trade(
            number, str(number), symbol=symbol, side=side, amount=D(fill["qty"]), price=D(fill["price"]), at=at
        )
        ledger.book_trades("main", [trade], prefix=PREFIX)
        if amount_of(ledger, symbol) == 0:
            flat_at.append(int(fill["ts"]))
    return flat_at


def projections(url: str) -> dict[str, list[tuple[str, ...]]]:
    engine, found = create_engine(url), {}
    with engine.connect() as connection:
        for table in ("positions", "sleeves", "cash", "closed_trades"):
            rows = connection.execute(text(f"SELECT * FROM ledger.{table} ORDER BY 1, 2, 3"))
            found[table] = [tuple(map(str, row)) for row in rows]
        columns = "client_order_id, state, filled, quote_filled, venue_order_id"
        rows = connection.execute(text(f"SELECT {columns} FROM ledger.orders ORDER BY 1"))
        found["orders"] = [tuple(map(str, row)) for row in rows]
    engine.dispose()
    return found


def test_projections_rebuild_to_the_same_values(ledger: Ledger, ledger_url: str) -> None:
    ledger.record_opening("main", opening(USDT="1000", BTC="2"))
    ledger.book_flow(Flow("main", "BTC", FlowKind.WITHDRAWAL, D("-0.5"), START, "tx"))
    ledger.adopt("main", "BTC/USDT", D("0.5"), D(90), START, "by hand")
    buy(ledger, 1, "0.7", "100.01", fee=D("0.0007"), fee_asset="BTC", sleeves={"a": D("0.3"), "b": D("0.7")})
    sell(ledger, 2, "1.19", "103.3", fee=D("0.12"), fee_asset="USDT")
    buy(ledger, 3, "0.3", "99", fee=D("0.01"), fee_asset="BNB")
    ledger.book_trades("main", [make_trade(9, "999")], prefix=PREFIX)
    before = projections(ledger_url)
    engine = create_engine(ledger_url)
    with engine.begin() as connection:
        for table in ("positions", "sleeves", "cash", "closed_trades"):
            connection.execute(text(f"DELETE FROM ledger.{table}"))
    engine.dispose()

    ledger.rebuild_positions("main")

    assert projections(ledger_url) == before
    assert before["closed_trades"] and before["sleeves"]
