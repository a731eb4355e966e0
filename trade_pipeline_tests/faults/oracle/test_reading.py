"""The judge's own reading of the ledger, from the rows that the real ledger writes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.faults.oracle import ArrivalDesk, BookReader, Case, Truth, judge
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import AccountReading, Balance, OrderType, Role, Side, TimeInForce
from trade_pipeline_tests.exchange.builders import BTC, SYMBOL, dec, request, step
from trade_pipeline_tests.fakes import make_intent, make_request, make_trade, make_venue_order
from trade_pipeline_tests.faults.oracle.scene import LIMITS, PREFIX

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.fixture
def reader(ledger_url: str) -> Iterator[BookReader]:
    made = BookReader(ledger_url)
    yield made
    made.close()


@pytest.fixture
def engine() -> Engine:
    made = Engine.opened([BTC], {"USDT": dec(10_000)})
    made.on_step(SYMBOL, step(int(NOW.timestamp() * 1000), 100))
    return made


def test_what_the_real_ledger_writes_of_a_real_fill_is_without_violation(
    ledger: Ledger, reader: BookReader, engine: Engine
) -> None:
    ledger.record_opening("main", AccountReading({"USDT": Balance("USDT", dec(10_000), dec(0))}, NOW - timedelta(1)))
    order_request = make_request(PREFIX + "a" * 28, type=OrderType.LIMIT, price=dec(101), amount=dec("0.5"),
                                 time_in_force=TimeInForce.IOC)  # fmt: skip
    ledger.plan_order(make_intent(amount=dec("0.5")), order_request)
    lease = ledger.acquire_lease("main", "guard", 30)
    ledger.mark_sent(order_request.client_order_id, lease, 1)
    desk = ArrivalDesk(engine, reader, account="main", prefix=PREFIX, quote="USDT")
    arrival = desk.look(order_request, holder="guard", left_at=NOW, now=NOW)
    order = engine.place(
        request("buy", "LIMIT", "0.5", price=101, tif="IOC", client_id=order_request.client_order_id),
        int(NOW.timestamp() * 1000),
    )
    trades = [
        make_trade(
            trade.id,
            str(order.id),
            amount=trade.amount,
            price=trade.price,
            fee=trade.fee,
            fee_asset=trade.fee_asset,
            at=datetime.fromtimestamp(trade.at_ms / 1000, UTC),
        )
        for trade in engine.trades(SYMBOL)
    ]
    done = make_venue_order(order_request, str(order.id))
    ledger.apply_venue_order("main", done, "created")
    ledger.book_trades("main", trades, prefix=PREFIX)
    assert arrival.booked_state == "SENT"
    assert arrival.lease_holder == "guard"
    assert (arrival.worst_symbol_quote, arrival.equity_quote) == (dec("50.5"), dec(10_000))
    book = reader.read("main")
    assert [row.amount for row in book.fills] == [trade.amount for trade in trades]
    assert book.positions[0].amount == dec("0.4995")
    case = Case(
        "main",
        NOW,
        Truth(engine, PREFIX),
        book,
        LIMITS,
        arrivals=[replace(arrival, accepted=True)],
        untradable=frozenset({SYMBOL}),
    )
    assert judge(case) == []


def test_an_arrival_before_the_commit_is_seen_as_nothing(reader: BookReader, engine: Engine) -> None:
    desk = ArrivalDesk(engine, reader, account="main", prefix=PREFIX, quote="USDT")
    arrival = desk.look(make_request(PREFIX + "a" * 28), holder="guard", left_at=NOW, now=NOW)
    assert (arrival.booked_state, arrival.lease_holder, arrival.lease_until) == (None, None, None)


def test_the_worst_case_counts_what_is_held_and_every_buy_that_rests(engine: Engine, reader: BookReader) -> None:
    at_ms = int(NOW.timestamp() * 1000)
    engine.place(request("buy", "MARKET", 1, client_id=PREFIX + "1" * 28), at_ms)
    engine.place(request("buy", "LIMIT", 2, price=90, client_id=PREFIX + "2" * 28), at_ms)
    engine.place(request("buy", "LIMIT", 5, price=90, client_id="web_1"), at_ms)
    desk = ArrivalDesk(engine, reader, account="main", prefix=PREFIX, quote="USDT")
    wanted = make_request(PREFIX + "3" * 28, amount=dec(3), price=dec(100))
    arrival = desk.look(wanted, holder="guard", left_at=NOW, now=NOW)
    held = dec("0.999") * 100
    assert arrival.worst_symbol_quote == held + 180 + 300
    assert arrival.worst_total_quote == arrival.worst_symbol_quote
    sale = replace(wanted, side=Side.SELL)
    assert desk.look(sale, holder="guard", left_at=NOW, now=NOW).worst_symbol_quote == held + 180


def test_numbers_keep_every_digit(ledger: Ledger, reader: BookReader) -> None:
    amount = Decimal("0.123456789012345678901234567890")
    ledger.plan_order(make_intent(amount=amount), make_request(amount=amount))
    assert reader.read("main").orders[0].amount == amount


def test_another_account_s_rows_are_not_read(ledger: Ledger, reader: BookReader) -> None:
    ledger.plan_order(make_intent(account="other", role=Role.ENTRY), make_request())
    book = reader.read("main")
    assert (book.orders, book.order_events, book.intents) == ([], [], [])


def test_a_moment_is_read_and_judged_in_few_milliseconds(ledger: Ledger, reader: BookReader, engine: Engine) -> None:
    for number in range(1, 11):
        ledger.plan_order(
            make_intent(f"intent-{number}", symbol=f"C{number}/USDT"),
            make_request(f"{PREFIX}{number:028x}", symbol=f"C{number}/USDT"),
        )
    times = []
    for _ in range(20):
        began = time.perf_counter()
        judge(Case("main", NOW + timedelta(seconds=1), Truth(engine, PREFIX), reader.read("main"), LIMITS))
        times.append(time.perf_counter() - began)
    assert sorted(times)[10] < 0.02, f"median {sorted(times)[10] * 1000:.1f} ms"
