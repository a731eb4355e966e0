"""Statements 21 to 30: maintenance, candles, delisting, gaps, what people do by hand, commits and second instances."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import polars as pl
import psycopg2
import pytest

from trade_pipeline.commands.revisions import revisions
from trade_pipeline.errors import LeaseHeld, LedgerError, TradePipelineError, VenueUnavailable
from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.execution.sending.submit import acquire_lease
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.market_data.content_hash import content_hash
from trade_pipeline.market_data.fetch import fetch_closed
from trade_pipeline.market_data.lake import Lake
from trade_pipeline.market_data.tables import table_of
from trade_pipeline.quality.failures import failing_symbols
from trade_pipeline.quality.registry import check
from trade_pipeline.quality.rules import Scope
from trade_pipeline.schemas.trading import BookTop, OrderState, OrderType, Role, Side, TargetKind
from trade_pipeline.settings.quality import QualitySettings
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, make_rules
from trade_pipeline_tests.fakes import make_decision, make_snapshot, make_target
from trade_pipeline_tests.market_data.frames_of import START, bars
from trade_pipeline_tests.market_data.test_fetch import SETTINGS, FakeMarket, ManualClock
from trade_pipeline_tests.reliability.conftest import BOUGHT, facts, last_order, later, only_stop

ETH = "ETH/USDT"
MINUTE = timedelta(minutes=1)


def test_statement_21_maintenance_is_skipped_and_leaves_the_state_as_it_was(room: Room, bought: Guard) -> None:
    before = facts(room)
    for method in ("account", "open_orders", "order", "cancel", "create"):
        room.venue.faults[method].extend([VenueUnavailable("system maintenance")] * 50)
    later(room, bought, cycles=2)
    with pytest.raises(TradePipelineError):
        room.want("2")
    kept = ("orders", "positions", "fills", "balances")
    assert {name: facts(room)[name] for name in kept} == {name: before[name] for name in kept}
    room.venue.faults.clear()
    later(room, bought, cycles=2)
    assert {name: facts(room)[name] for name in kept} == {name: before[name] for name in kept}
    assert len(room.venue.created) == before["created"]


@pytest.mark.parametrize("running", [True, False])
def test_statement_22_the_running_candle_is_told_by_its_close_time_not_by_its_place(running: bool) -> None:
    """With a running candle in the list it is left out; without one the last closed candle is kept."""
    as_of = START + 5 * MINUTE
    clock = ManualClock(as_of + timedelta(seconds=1))
    market = FakeMarket(clock, lambda now: bars(6 if running else 5))
    fetched = fetch_closed(market, {BTC: START}, as_of, SETTINGS, clock.clock())
    assert fetched.frame.filter(pl.col("symbol") == BTC).get_column("close_time").to_list() == [
        START + MINUTE * number for number in range(1, 6)
    ]


def test_statement_23_a_gap_beyond_the_limit_lets_no_order_increase_exposure(room: Room, bought: Guard) -> None:
    """The rule finds the missing minutes, the gate says so, the buy is not sent; the sale is."""
    seen = bars(100).filter(~pl.col("open_time").is_between(START + 50 * MINUTE, START + 52 * MINUTE))
    scope = Scope(START + 100 * MINUTE, START, (BTC,), QualitySettings(gap_bars_max=2))
    found = check("gap", seen, scope)
    reasons = tuple(failing_symbols(found).values())
    assert reasons
    tolerant = replace(scope, settings=QualitySettings(gap_bars_max=3))
    assert check("gap", seen, tolerant).is_empty(), "three missing minutes are within a limit of three"
    sent = len(room.venue.created)
    room.clock.advance(60)
    more = make_target(quantity=Decimal(2), sleeves={"trend": Decimal(2)})
    report = room.execute(room.decide(more), reasons=reasons, run_id="more")
    assert len(room.venue.created) == sent
    assert reasons[0] in report.verdicts[BTC].reason
    room.clock.advance(60)
    flat = make_target(kind=TargetKind.FLAT, quantity=None, sleeves={})
    room.execute(room.decide(flat), reasons=reasons, run_id="flat")
    assert room.venue.created[-1].side == Side.SELL
    assert room.held() < Decimal("0.001")


def test_statement_24_a_candle_revised_after_the_decision_is_detected_from_the_stored_hash(
    tmp_path: Path, ledger: Ledger
) -> None:
    """The decision cites a hash; the lake gives what it saw and what it would see now, rule and command tell it."""
    lake, key = Lake(tmp_path), table_of("raw_bars").key
    as_of, decided_at = START + 5 * MINUTE, START + 6 * MINUTE
    day, minute = [START.date().isoformat()], START + 2 * MINUTE
    cited = lake.append("raw_bars", bars(5), known_at=decided_at - timedelta(seconds=1)).content_hash
    decision = make_decision(as_of=as_of, decided_at=decided_at, inputs={"raw_bars": {"hash": cited}})
    ledger.record_decision(decision, make_snapshot(), [])
    assert revisions(lake, ledger, "main", day) == []
    assert lake.before_revision("raw_bars", day, decided_at).is_empty()

    changed = (pl.col("open_time") == minute) & (pl.col("symbol") == BTC)
    closes = pl.when(changed).then(pl.col("close") + 0.25).otherwise("close").alias("close")
    lake.append("raw_bars", bars(5).with_columns(closes), known_at=decided_at + 10 * MINUTE)

    stored = ledger.decision(decision.decision_id)
    assert stored is not None
    hash_of_inputs = stored.inputs["raw_bars"]["hash"]
    assert content_hash(lake.as_revised("raw_bars", day, as_of), key) != hash_of_inputs, "it would stand on others now"
    assert content_hash(lake.as_seen("raw_bars", day, decided_at), key) == hash_of_inputs, "what it saw is still there"

    earlier = lake.before_revision("raw_bars", day, decided_at)
    scope = Scope(as_of, START, (BTC,), QualitySettings(), earlier=earlier)
    (row,) = check("revised_candle", lake.read("raw_bars", day), scope).iter_rows(named=True)
    assert (row["symbol"], row["open_time"], row["column"]) == (BTC, minute, "close")

    (told,) = revisions(lake, ledger, "main", day)
    assert (told.symbol, told.open_time, told.column) == (BTC, minute.isoformat(), "close")
    assert (told.was, told.now) == (103.0, 103.25)
    assert (told.decisions, told.last_decision) == (1, decision.decision_id)


@pytest.mark.parametrize("gone", ["not listed", "halted", "price of 0"])
def test_statement_25_a_delisted_symbol_is_isolated_and_a_price_of_0_is_never_used(room: Room, gone: str) -> None:
    room.venue.symbols = (BTC, ETH)
    room.want("1")
    room.want("1", symbol=ETH)
    guard = room.guard()
    guard.cycle()
    cash = room.ledger.equity("main")[-1].cash_quote
    if gone == "not listed":
        room.venue.symbols = (ETH,)
    elif gone == "halted":
        room.venue.rules[BTC] = make_rules(active=False)
    else:
        tops = room.venue.book_tops

        def empty(symbols: Sequence[str]) -> dict[str, BookTop]:
            nothing = Decimal(0)
            found = tops(symbols)
            if BTC in found:
                found[BTC] = BookTop(BTC, nothing, nothing, nothing, nothing, nothing, room.clock())
            return found

        room.venue.book_tops = empty  # type: ignore[method-assign]  # a book without orders
    sent = len(room.venue.created)
    later(room, guard, 61, cycles=2)
    room.want(None)
    room.want("2")
    assert [request.symbol for request in room.venue.created[sent:]] == []
    assert room.held(BTC) == BOUGHT
    room.want("2", symbol=ETH)
    later(room, guard)
    assert {request.symbol for request in room.venue.created[sent:]} == {ETH}
    assert room.held(ETH) > BOUGHT
    point = room.ledger.equity("main")[-1]
    assert point.positions_quote > Decimal(250), "BTC counts at its cost, not at 0"
    assert point.cash_quote < cash


def test_statement_26_a_gapped_stop_limit_escalates_to_the_market(room: Room, bought: Guard) -> None:
    stop = only_stop(room)
    assert stop.type == OrderType.STOP_LOSS_LIMIT
    room.venue.prices[BTC] = "80"  # below the stop's limit: the stop rests on and will not be filled
    later(room, bought)
    ended = room.ledger.order(stop.client_order_id)
    assert ended is not None
    assert ended.state == OrderState.CANCELED
    sale = room.venue.created[-1]
    assert (sale.type, sale.price, sale.amount) == (OrderType.MARKET, None, BOUGHT)
    assert room.held() == 0
    assert room.ledger.locks("main", room.clock()), "a protective exit locks its strategy"


def test_statement_27_a_position_closed_by_hand_is_seen_as_drift_and_not_stopped_again(
    room: Room, bought: Guard
) -> None:
    room.venue.cancel(BTC, only_stop(room).client_order_id)
    room.venue.totals["BTC"] -= BOUGHT
    room.venue.totals["USDT"] += 99
    sent = len(room.venue.created)
    later(room, bought, cycles=5)
    assert set(room.desk.halts()) == {"*", BTC}, "the symbol whose coins are gone, and the account whose money differs"
    assert room.held() == BOUGHT, "no sale is invented"
    found = {(row.kind, row.subject) for row in room.ledger.open_conflicts("main")}
    assert found == {("position_short", BTC), ("balance_residual", "BTC"), ("balance_residual", "USDT")}
    assert {event.kind for event in room.ledger.events("main")} == {"entries_halted"}
    assert "entries halted" in room.want("2").verdicts[BTC].reason
    later(room, bought, cycles=5)
    assert len(room.venue.created) == sent, "neither a stop nor an entry"
    assert room.venue.open_orders() == []


def test_statement_28_closed_reported_for_a_cancelled_order_takes_its_quantity_from_trades(room: Room) -> None:
    """The exchange calls an order filled that was cancelled after a quarter of it."""
    room.venue.share_filled = Decimal("0.25")
    room.want("1")
    order = last_order(room)
    room.venue.book[order.client_order_id] = replace(
        room.venue.book[order.client_order_id], state=OrderState.FILLED, venue_status="closed", filled=Decimal(1)
    )
    guard = room.guard()
    later(room, guard, 700, cycles=3)
    known = room.ledger.order(order.client_order_id)
    assert known is not None
    assert known.filled == Decimal("0.25")
    assert room.held() == Decimal("0.25") * Decimal("0.999")
    assert only_stop(room).amount <= room.held()


@pytest.mark.parametrize("state", ["PLANNED", "SENT"])
def test_statement_29_when_a_commit_before_the_send_fails_nothing_is_sent(
    room: Room, ledger_url: str, state: str
) -> None:
    """The database itself refuses the row, at the end of the transaction, for intent and for SENT alike."""
    with psycopg2.connect(ledger_url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "create function refuse() returns trigger language plpgsql as "
            "$$ begin raise exception 'the disk is full' using errcode = '53100'; end $$"
        )
        cursor.execute(
            "create constraint trigger full_disk after insert or update on ledger.orders deferrable initially deferred "
            f"for each row when (new.state = '{state}') execute function refuse()"
        )
    with suppress(LedgerError):
        assert "not sent" in room.want("1").verdicts[BTC].reason
    assert room.venue.created == []
    assert room.venue.book == {}
    with psycopg2.connect(ledger_url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute("drop trigger full_disk on ledger.orders")
    room.clock.advance(61)
    later(room, room.guard(), cycles=2)
    room.want("1")
    assert len(room.venue.created) == 1, "with the disk free again the same code sends"


def test_statement_30_a_second_instance_on_one_account_is_refused_by_the_lease(room: Room, ledger_url: str) -> None:
    """Another process, another connection: it can neither take the lease nor send."""
    first = acquire_lease(room.desk, "first", for_exit=False, wait_s=0)
    other, seconds = Ledger(ledger_url, now=room.clock), count()
    second = replace(room.desk, ledger=other, monotonic=lambda: float(next(seconds)), sleep=lambda _: None)
    with pytest.raises(LeaseHeld):
        acquire_lease(second, "second", for_exit=False, wait_s=0)
    room.desk = second
    assert "busy" in room.want("1").outcome
    assert room.venue.created == []
    room.ledger.release_lease(first)
    room.want("1")
    assert len(room.venue.created) == 1
    assert last_order(room).role == Role.ENTRY
    other.close()
