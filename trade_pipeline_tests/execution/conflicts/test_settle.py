"""Conflicts on a real ledger: seen within a cycle, resolved as the settings say, told once, halting what they must."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import pytest

from trade_pipeline.errors import LedgerUnavailable, VenueUnavailable
from trade_pipeline.execution.desk import EVERY
from trade_pipeline.ledger.records import Conflict, Flow
from trade_pipeline.schemas.trading import AccountReading, Balance, FlowKind, OrderType, Side
from trade_pipeline_tests.execution.conflicts.steps import allow, holding, outcomes, rows, sell_by_hand
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC
from trade_pipeline_tests.reliability.conftest import BOUGHT, later, only_stop


def test_a_quiet_account_has_no_conflicts(room: Room) -> None:
    guard = holding(room)
    later(room, guard, cycles=5)
    assert room.ledger.conflicts("main") == []


def test_a_sale_by_hand_is_seen_within_one_cycle_and_halts_the_symbol_at_the_second_sight(room: Room) -> None:
    guard = holding(room)
    sell_by_hand(room, "0.5")
    sent = len(room.venue.created)
    later(room, guard)
    assert outcomes(room, "foreign_trade") == ["found", "ignored"]
    later(room, guard, cycles=4)
    assert outcomes(room, "position_short") == ["found", "halted"], "told once, not once a cycle"
    (found, _) = rows(room, "position_short")
    assert (found.subject, found.ledger_amount, found.exchange_amount) == (BTC, BOUGHT, BOUGHT - Decimal("0.5"))
    assert room.desk.halts()[BTC].startswith("coins are missing: 0.5")
    (stop,) = room.venue.created[sent:]
    assert stop.amount == Decimal("0.499"), "what is left is protected, what is gone is not stopped again"


def test_a_conflict_whose_outcome_could_not_be_written_is_decided_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = holding(room)
    sell_by_hand(room, "0.5")
    record = room.ledger.record_conflict
    refused: list[Conflict] = []

    def refuse_once(row: Conflict) -> None:
        if row.outcome == "halted" and not refused:
            refused.append(row)
            raise LedgerUnavailable("gone", thing="ledger")
        record(row)

    monkeypatch.setattr(room.ledger, "record_conflict", refuse_once)
    for _ in range(5):
        with suppress(LedgerUnavailable):
            later(room, guard)

    assert refused
    assert BTC in room.desk.halts()


def test_coins_that_come_back_end_the_conflict_and_its_halt(room: Room) -> None:
    guard = holding(room)
    room.venue.cancel(BTC, only_stop(room).client_order_id)
    room.venue.totals["BTC"] = Decimal(0)
    later(room, guard, cycles=3)
    assert {row.kind for row in room.ledger.open_conflicts("main")} == {"position_short", "balance_residual"}
    assert set(room.desk.halts()) == {BTC, EVERY}
    room.venue.totals["BTC"] = BOUGHT
    later(room, guard, cycles=2)
    assert room.ledger.open_conflicts("main") == []
    assert room.desk.halts() == {}


def test_exchange_first_lets_the_ledger_follow_and_sends_nothing_for_it(room: Room) -> None:
    allow(room, position_short="exchange_first", balance_residual="exchange_first")
    guard = holding(room)
    room.venue.cancel(BTC, only_stop(room).client_order_id)
    room.venue.totals["BTC"] -= BOUGHT
    sent = len(room.venue.created)
    later(room, guard, cycles=3)
    assert room.held() == 0
    assert room.ledger.open_conflicts("main") == []
    assert room.desk.halts() == {}
    assert len(room.venue.created) == sent
    kinds = Counter(event.kind for event in room.ledger.events("main"))
    assert kinds["conflict_adjusted"] == 2
    before = (room.ledger.positions("main"), room.ledger.expected_balances("main"))
    room.ledger.rebuild_positions("main")
    assert (room.ledger.positions("main"), room.ledger.expected_balances("main")) == before


def test_ledger_first_keeps_the_ledger_and_says_so(room: Room) -> None:
    allow(room, position_short="ledger_first", balance_residual="ledger_first")
    guard = holding(room)
    room.venue.cancel(BTC, only_stop(room).client_order_id)
    room.venue.totals["BTC"] -= Decimal("0.1")
    later(room, guard, cycles=5)
    assert room.held() == BOUGHT
    assert outcomes(room, "position_short") == ["found", "ignored"]
    assert room.desk.halts() == {}
    assert "conflict_kept" in {event.kind for event in room.ledger.events("main")}


def test_merge_books_the_trades_that_one_side_lacks(room: Room) -> None:
    """A trade with a lower id than the newest booked one turns up late."""
    guard = holding(room)
    trade = replace(room.venue.all_trades[0], trade_id="0", order_id="5", side=Side.SELL, amount=Decimal("0.1"),
                    fee=Decimal(0), at=room.clock())  # fmt: skip
    room.venue.all_trades.insert(0, trade)
    room.venue.totals["BTC"] -= Decimal("0.1")
    room.venue.totals["USDT"] += Decimal("0.1") * trade.price
    later(room, guard, cycles=3)
    assert len(room.ledger.fills("main")) == 2
    assert [row for row in room.ledger.open_conflicts("main") if row.kind == "balance_residual"] == []


def test_most_recent_believes_the_exchange_where_its_reading_is_later(room: Room) -> None:
    allow(room, position_short="most_recent", balance_residual="most_recent")
    guard = holding(room)
    room.venue.cancel(BTC, only_stop(room).client_order_id)
    room.venue.totals["BTC"] -= Decimal("0.5")
    later(room, guard, cycles=3)
    assert room.held() == BOUGHT - Decimal("0.5")
    assert room.desk.halts() == {}


def test_emergency_flatten_asks_the_guard_which_sells_what_is_there(room: Room) -> None:
    allow(room, position_short="emergency_flatten")
    guard = holding(room)
    sell_by_hand(room, "0.5")
    later(room, guard, cycles=4)
    sale = [request for request in room.venue.created if request.type == OrderType.MARKET]
    assert [request.amount for request in sale] == [Decimal("0.499")]
    assert room.held() == 0
    assert room.ledger.open_conflicts("main") == []
    assert room.want("1").verdicts[BTC].action != "buy", "locked as after any protective exit"


def test_a_deposit_halts_by_default_and_is_booked_as_a_flow_by_policy(room: Room) -> None:
    guard = room.guard()
    room.venue.totals["USDT"] += 50
    later(room, guard, cycles=2)
    assert room.desk.halts() == {EVERY: "balances differ from the ledger: USDT +50"}
    allow(room, balance_residual="exchange_first")
    later(room, room.guard(), 601, cycles=2)
    assert room.ledger.expected_balances("main")["USDT"] == Decimal(10_050)
    assert room.desk.halts() == {}
    assert outcomes(room, "balance_residual") == ["found", "halted", "resolved"]


def test_dust_is_recorded_and_not_acted_upon(room: Room) -> None:
    guard = holding(room)
    room.venue.totals["BTC"] += Decimal("0.0005")
    later(room, guard, cycles=4)
    assert outcomes(room, "position_long") == ["found", "ignored"]
    assert room.desk.halts() == {}


def test_an_impossible_balance_halts_entries_and_leaves_the_stop_where_it_is(room: Room) -> None:
    guard = holding(room)
    stop, true = only_stop(room), room.venue.account
    wrong = Balance("BTC", Decimal("NaN"), Decimal(0))
    room.venue.account = lambda: replace(  # type: ignore[method-assign]  # one field of the answer is broken
        true(), balances={**true().balances, "BTC": wrong}
    )
    later(room, guard, cycles=3)
    assert only_stop(room) == stop
    assert "free is NaN" in room.desk.halts()[EVERY]
    room.venue.account = true  # type: ignore[method-assign]
    later(room, guard, cycles=2)
    assert room.desk.halts() == {}
    assert room.ledger.open_conflicts("main") == []


def test_a_resolution_that_does_not_hold_halts_within_two_passes(room: Room) -> None:
    """RELIABILITY statement 10: each time the ledger follows, the exchange says something else."""
    allow(room, balance_residual="exchange_first")
    guard = room.guard()
    guard.cycle()
    room.venue.totals["USDT"] += 50
    later(room, guard)
    true, calls = room.venue.account, Counter[str]()

    def moving() -> AccountReading:
        calls["account"] += 1
        told = true()
        more = told.total("USDT") + 10 * (calls["account"] // 2)
        return replace(told, balances={**told.balances, "USDT": Balance("USDT", more, Decimal(0))})

    room.venue.account = moving  # type: ignore[method-assign]  # never the same for long
    later(room, guard)
    assert calls["account"] <= 6
    later(room, guard, cycles=3)
    bound = 5 * 6
    assert calls["account"] <= bound
    assert room.venue.created == []


def test_an_exchange_that_does_not_answer_leaves_a_conflict_open_and_is_asked_again(room: Room) -> None:
    guard = holding(room)
    room.venue.totals["XYZ"] = Decimal(7)
    room.venue.symbols = (BTC, "XYZ/USDT")
    trades = room.venue.trades

    def refuses(symbol: str, from_id: str | None = None, limit: int = 1000) -> list[object]:
        if symbol == "XYZ/USDT" and from_id == "0" and limit == 1000 and refuses_now:
            raise VenueUnavailable("maintenance")
        return list(trades(symbol, from_id, limit))

    refuses_now: list[bool] = []
    room.venue.trades = refuses  # type: ignore[assignment]
    later(room, guard)
    refuses_now.append(True)
    later(room, guard)
    assert [row.kind for row in room.ledger.open_conflicts("main")] == ["balance_residual"]
    refuses_now.clear()
    later(room, guard, 601, cycles=2)
    assert EVERY in room.desk.halts()


def test_a_flow_that_a_person_books_ends_the_residual(room: Room) -> None:
    guard = room.guard()
    room.venue.totals["USDT"] -= 20
    later(room, guard, cycles=2)
    assert EVERY in room.desk.halts()
    room.ledger.book_flow(Flow("main", "USDT", FlowKind.WITHDRAWAL, Decimal(-20), room.clock(), "to the bank"))
    later(room, guard)
    assert room.desk.halts() == {}
    assert outcomes(room, "balance_residual") == ["found", "halted", "resolved"]
