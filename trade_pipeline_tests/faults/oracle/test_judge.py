"""A judge that cannot find anything proves nothing: each invariant is broken once by hand, and found."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from trade_pipeline.faults.oracle import INVARIANTS, Limits
from trade_pipeline.faults.oracle.book import DecisionRow, LockRow, OrderEventRow, SleeveRow
from trade_pipeline_tests.exchange.builders import SYMBOL, dec, request, step
from trade_pipeline_tests.faults.oracle.scene import (
    ENTRY,
    LIMITS,
    PREFIX,
    STOP,
    Scene,
    at,
    clean_scene,
    event,
    fill_row,
    flow,
)

OTHER = PREFIX + "c" * 28


@pytest.fixture
def scene() -> Scene:
    return clean_scene()


def test_a_clean_moment_has_no_violation(scene: Scene) -> None:
    assert scene.violations() == []


def test_a_clean_moment_has_no_violation_while_faults_are_at_work(scene: Scene) -> None:
    assert scene.violations(quiet=False) == []


def test_every_invariant_but_those_named_in_the_docstring_has_a_function() -> None:
    from trade_pipeline.faults import oracle

    numbers = {int(function.__name__.split("_")[1]) for function in INVARIANTS}
    missing = set(range(1, 28)) - numbers
    assert missing == {10, 11, 19, 20}
    for number in missing:
        assert f"{number} (" in (oracle.__doc__ or ""), f"the docstring gives no reason for {number}"


class TestMoney:
    def test_01_a_deposit_that_nobody_booked(self, scene: Scene) -> None:
        scene.engine.state.balances.add("USDT", dec("0.00000001"))
        assert scene.broken() == {"01"}

    def test_01_a_deposit_may_stay_unexplained_while_entries_are_halted(self, scene: Scene) -> None:
        scene.engine.state.balances.add("USDT", dec(50))
        scene.add("locks", LockRow("*", "*", "balances differ", at(90), None, None))
        assert scene.broken() == set()
        scene.change("locks", lambda row: True, unlocked_at=at(95))
        assert scene.broken() == {"01"}

    def test_01_less_than_a_step_moved_by_others_needs_no_halt(self, scene: Scene) -> None:
        scene.engine.state.balances.add("BTC", dec("0.000009"))
        assert scene.broken() == set()
        scene.engine.state.balances.add("BTC", dec("0.000001"))
        assert scene.broken() == {"01"}

    def test_01_a_halt_excuses_no_fill_that_is_not_booked(self, scene: Scene) -> None:
        scene.engine.place(request("buy", "MARKET", 1, client_id="web_1"), 70_000)
        scene.add("locks", LockRow("*", "*", "balances differ", at(90), None, None))
        found = [violation.subject for violation in scene.violations()]
        assert found == ["BTC", "USDT"]

    def test_01_is_judged_when_all_is_quiet(self, scene: Scene) -> None:
        scene.engine.state.balances.add("USDT", dec(1))
        assert scene.broken(quiet=False) == set()

    def test_01_a_booked_deposit_is_no_violation(self, scene: Scene) -> None:
        scene.engine.state.balances.add("USDT", dec(1))
        scene.add("flows", flow("residual", "USDT", 1))
        assert scene.broken() == set()

    def test_02_a_position_that_forgot_its_fee(self, scene: Scene) -> None:
        scene.change("positions", lambda row: True, amount=dec(9))
        scene.change("sleeves", lambda row: True, amount=dec(9))
        assert scene.broken() == {"02"}

    def test_02_adopted_coins_belong_to_the_position(self, scene: Scene) -> None:
        scene.engine.state.balances.add("BTC", dec(1))
        scene.add("flows", flow("deposit", "BTC", 1), flow("adoption", "BTC", 1, symbol=SYMBOL, price=dec(100)))
        assert scene.broken() == {"02", "24", "25"} - {"25"}
        cost = scene.rows["positions"][0].cost_quote
        scene.change("positions", lambda row: True, amount=dec("9.991"), cost_quote=cost + 100)
        scene.change("sleeves", lambda row: True, amount=dec("9.991"))
        assert scene.broken() == set()

    def test_24_a_fee_counted_twice(self, scene: Scene) -> None:
        fees = scene.rows["positions"][0].fees_total_quote
        scene.change("positions", lambda row: True, fees_total_quote=fees * 2)
        assert scene.broken() == {"24"}

    def test_25_a_sleeve_too_small(self, scene: Scene) -> None:
        scene.change("sleeves", lambda row: True, amount=dec("8.99"))
        assert scene.broken() == {"25"}

    def test_25_two_sleeves_that_add_up_are_fine(self, scene: Scene) -> None:
        scene.change("sleeves", lambda row: True, amount=dec(4))
        scene.add("sleeves", SleeveRow(SYMBOL, "mean_reversion", dec("4.991")))
        assert scene.broken() == set()

    def test_27_a_balance_below_zero(self, scene: Scene) -> None:
        scene.engine.state.balances.restore("BNB", dec(-1), dec(0))
        assert scene.broken(quiet=False) == {"27"}


class TestOrders:
    def test_03_an_invented_fill(self, scene: Scene) -> None:
        scene.add("fills", replace(scene.rows["fills"][0], trade_id="99", venue_order_id="77"))
        assert scene.broken(quiet=False) == {"03"}

    def test_03_a_fill_booked_twice(self, scene: Scene) -> None:
        scene.add("fills", scene.rows["fills"][0])
        assert "03" in scene.broken(quiet=False)

    def test_03_a_fill_with_another_fee(self, scene: Scene) -> None:
        scene.change("fills", lambda row: row.trade_id == "1", fee_asset="BNB")
        assert "03" in scene.broken(quiet=False)

    def test_04_filled_that_no_fill_explains(self, scene: Scene) -> None:
        scene.change("orders", lambda row: row.client_order_id == ENTRY, filled=dec("8.5"))
        assert "04" in scene.broken(quiet=False)

    def test_04_filled_that_shrinks(self, scene: Scene) -> None:
        scene.memory.filled[ENTRY] = dec("9.1")
        assert scene.broken() == {"04"}

    def test_05_two_live_orders_of_one_role(self, scene: Scene) -> None:
        scene.change("orders", lambda row: row.client_order_id == STOP, amount=dec(4))
        scene.place(OTHER, "entry", "LIMIT", 1, second=70, price=90)
        scene.place(PREFIX + "d" * 28, "entry", "LIMIT", 1, second=71, price=91)
        found = [v for v in scene.violations(quiet=False) if v.invariant == "invariant_05"]
        assert {v.detail for v in found} == {"2 are live in the ledger", "2 are open at the exchange"}

    def test_05_an_order_left_open_at_the_exchange_counts_although_the_ledger_forgot_it(self, scene: Scene) -> None:
        scene.place(OTHER, "entry", "LIMIT", 1, second=70, price=90)
        scene.change("orders", lambda row: row.client_order_id == OTHER, state="CANCELED")
        scene.place(PREFIX + "d" * 28, "entry", "LIMIT", 1, second=71, price=91)
        assert {"05", "18"} <= scene.broken(quiet=False)

    def test_05_sells_above_the_managed_position(self, scene: Scene) -> None:
        scene.engine.state.balances.add("BTC", dec(5))
        scene.place(OTHER, "exit", "LIMIT", 1, second=70, price=120)
        found = scene.violations(quiet=False)
        assert [(v.invariant, v.subject) for v in found] == [("invariant_05", SYMBOL)]
        assert "open sells of 9.991, managed are 8.991" in found[0].detail

    def test_05_a_buy_that_crosses_a_sell_of_ours(self, scene: Scene) -> None:
        scene.engine.cancel(SYMBOL, 70_000, client_id=STOP)
        scene.change("orders", lambda row: row.client_order_id == STOP, state="CANCELED")
        scene.place(OTHER, "exit", "LIMIT", 1, second=71, price=101)
        scene.place(PREFIX + "d" * 28, "entry", "LIMIT", 1, second=72, price=99)
        assert "05" not in scene.broken(quiet=False)
        scene.engine.state.by_client_id(SYMBOL, OTHER).price = dec(99)  # type: ignore[union-attr]  # it was just placed
        assert "05" in scene.broken(quiet=False)

    def test_07_the_exchange_id_of_another_order(self, scene: Scene) -> None:
        scene.change("orders", lambda row: row.client_order_id == STOP, venue_order_id="55")
        assert scene.broken(quiet=False) == {"07"}

    @pytest.mark.parametrize("states", [["SENT", "FILLED"], ["PLANNED", "OPEN", "FILLED"],
                                        ["PLANNED", "SENT", "SENT", "FILLED"],
                                        ["PLANNED", "SENT", "OPEN", "SENT", "FILLED"],
                                        ["PLANNED", "ABANDONED", "FILLED"],
                                        ["PLANNED", "SENT", "FILLED", "OPEN"]])  # fmt: skip
    def test_08_steps_that_are_not_listed(self, scene: Scene, states: list[str]) -> None:
        rest = [row for row in scene.rows["order_events"] if row.client_order_id != ENTRY]
        rows = [OrderEventRow(100 + n, ENTRY, at(61), state, "test") for n, state in enumerate(states)]
        scene.rows["order_events"] = rest + rows
        assert scene.broken() == {"08"}

    @pytest.mark.parametrize("states", [["PLANNED", "SENT", "UNKNOWN", "FILLED"],
                                        ["PLANNED", "SENT", "OPEN", "PENDING_CANCEL", "OPEN", "FILLED"],
                                        ["PLANNED", "SENT", "OPEN", "CANCELED", "FILLED"]])  # fmt: skip
    def test_08_listed_steps_are_fine(self, scene: Scene, states: list[str]) -> None:
        rest = [row for row in scene.rows["order_events"] if row.client_order_id != ENTRY]
        rows = [OrderEventRow(100 + n, ENTRY, at(61), state, "test") for n, state in enumerate(states)]
        scene.rows["order_events"] = rest + rows
        assert scene.broken() == set()

    def test_14_a_client_id_that_the_exchange_accepted_twice(self, scene: Scene) -> None:
        scene.engine.place(request("buy", "MARKET", "0.1", client_id=ENTRY), 63_000)
        assert "14" in scene.broken(quiet=False)

    def test_14_a_request_that_crossed_again_after_its_answer_was_lost(self, scene: Scene) -> None:
        scene.arrivals.insert(0, replace(scene.arrivals[0], accepted=False, told=False))
        assert scene.broken() == {"14"}

    def test_14_a_request_may_cross_again_after_it_was_certainly_refused(self, scene: Scene) -> None:
        scene.arrivals.insert(0, replace(scene.arrivals[0], accepted=False, told=True, refusal="-1021 Timestamp"))
        assert scene.broken() == set()

    def test_14_a_new_attempt_after_the_first_had_filled(self, scene: Scene) -> None:
        scene.place(OTHER, "entry", "MARKET", 1, second=64, intent="intent-aaaa", attempt=1)
        found = [v for v in scene.violations(quiet=False) if v.invariant == "invariant_14"]
        assert [v.subject for v in found] == ["intent intent-aaaa"]

    def test_14_a_new_attempt_for_what_the_first_left_is_fine(self, scene: Scene) -> None:
        scene.change("intents", lambda row: row.intent_id == "intent-aaaa", amount=dec(10))
        scene.place(OTHER, "entry", "MARKET", 1, second=64, intent="intent-aaaa", attempt=1)
        assert "14" not in scene.broken(quiet=False)

    def test_14_an_order_still_sent_when_all_is_quiet(self, scene: Scene) -> None:
        scene.change("orders", lambda row: row.client_order_id == STOP, state="SENT")
        scene.rows["order_events"].pop()
        assert scene.broken() == {"14"}

    def test_18_a_rejection_that_the_exchange_never_spoke(self, scene: Scene) -> None:
        scene.change("orders", lambda row: row.client_order_id == ENTRY, state="REJECTED")
        scene.change(
            "order_events", lambda row: (row.client_order_id, row.state) == (ENTRY, "FILLED"), state="REJECTED"
        )
        assert scene.broken(quiet=False) == {"18"}

    def test_18_an_absent_order_that_is_there(self, scene: Scene) -> None:
        scene.change("orders", lambda row: row.client_order_id == STOP, state="ABSENT")
        assert "18" in scene.broken(quiet=False)

    def test_18_a_cancelled_order_with_fills_that_nobody_booked(self, scene: Scene) -> None:
        scene.change("orders", lambda row: row.client_order_id == ENTRY, state="CANCELED", filled=dec(8))
        assert "18" in scene.broken()

    def test_21_a_row_that_went_away(self, scene: Scene) -> None:
        assert scene.broken() == set()
        scene.rows["decisions"].pop()
        assert scene.broken() == {"21"}


class TestSending:
    @pytest.mark.parametrize("state", [None, "PLANNED"])
    def test_06_a_request_that_arrived_before_sent_was_committed(self, scene: Scene, state: str | None) -> None:
        scene.arrivals[0] = replace(scene.arrivals[0], booked_state=state)
        assert scene.broken() == {"06"}

    def test_06_an_order_that_crossed_and_is_not_in_the_ledger(self, scene: Scene) -> None:
        scene.place(OTHER, "entry", "LIMIT", "0.1", price=90, second=63)
        scene.rows["orders"].pop()
        assert "06" in scene.broken(quiet=False)

    def test_06_a_stray_with_our_prefix_is_adopted_or_halts(self, scene: Scene) -> None:
        scene.engine.place(request("buy", "LIMIT", "0.1", price=90, client_id=OTHER), 63_000)
        assert scene.broken(quiet=False) == set()
        assert scene.broken() == {"06"}
        scene.add("locks", LockRow("*", SYMBOL, "no intent", at(70), None, None))
        assert scene.broken() == set()

    def test_06_an_order_of_somebody_else_is_nobody_s_business(self, scene: Scene) -> None:
        scene.engine.place(request("buy", "LIMIT", "0.1", price=90, client_id="web_1"), 63_000)
        assert scene.broken() == set()

    def test_09_a_buy_while_the_breaker_was_open(self, scene: Scene) -> None:
        scene.add("events", event("breaker_opened", 60.9))
        assert scene.broken() == {"09"}

    @pytest.mark.parametrize("changes", [{"symbol": "ETH/USDT"}, {"detail": {"scope": "ETH/USDT"}}])
    def test_09_the_breaker_of_another_symbol_does_not_count(self, scene: Scene, changes: dict[str, Any]) -> None:
        scene.add("events", event("breaker_opened", 60.9, **changes))
        assert scene.broken() == set()

    def test_09_a_buy_after_it_closed_is_fine(self, scene: Scene) -> None:
        scene.add("events", event("breaker_opened", 30), event("breaker_half_open", 50), event("breaker_closed", 60))
        assert scene.broken() == set()

    def test_09_an_entry_that_rests_on_after_the_opening(self, scene: Scene) -> None:
        scene.place(OTHER, "entry", "LIMIT", 1, second=70, price=90)
        scene.add("events", event("breaker_opened", 80))
        scene.now = at(84.9)
        assert scene.broken() == set()
        scene.now = at(85.1)
        assert scene.broken() == {"09"}

    def test_09_the_five_seconds_count_from_the_last_disturbance(self, scene: Scene) -> None:
        scene.place(OTHER, "entry", "LIMIT", 1, second=70, price=90)
        scene.add("events", event("breaker_opened", 80))
        scene.now = at(88)
        assert scene.broken(disturbances=[(at(79), at(84))]) == set()
        assert scene.broken(disturbances=[(at(70), at(79))]) == {"09"}

    def test_15_a_buy_above_the_symbol_s_share(self, scene: Scene) -> None:
        scene.arrivals[0] = replace(scene.arrivals[0], worst_symbol_quote=dec(1021))
        assert scene.broken() == {"15"}

    def test_15_a_buy_above_the_account_s_share(self, scene: Scene) -> None:
        scene.arrivals[0] = replace(scene.arrivals[0], worst_total_quote=dec(6121))
        assert scene.broken() == {"15"}

    def test_15_a_sell_may_always_leave(self, scene: Scene) -> None:
        scene.arrivals[1] = replace(scene.arrivals[1], worst_symbol_quote=dec(5000))
        assert scene.broken() == set()

    @pytest.mark.parametrize("changes", [{"amount": dec("8.9910001")}, {"price": dec("94.001")},
                                         {"stop_price": dec("94.999")}, {"amount": dec("0.01")},
                                         {"refusal": "-1013 Filter failure: NOTIONAL"}])  # fmt: skip
    def test_16_off_the_grid_or_below_the_minimum(self, scene: Scene, changes: dict[str, object]) -> None:
        scene.arrivals[1] = replace(scene.arrivals[1], **changes)  # type: ignore[arg-type]  # one field each
        assert scene.broken() == {"16"}

    def test_17_a_sender_that_had_lost_the_lease(self, scene: Scene) -> None:
        scene.arrivals[0] = replace(scene.arrivals[0], lease_holder="execute:2")
        assert scene.broken() == {"17"}

    def test_17_a_lease_that_had_run_out(self, scene: Scene) -> None:
        scene.arrivals[0] = replace(scene.arrivals[0], lease_until=at(61))
        assert scene.broken() == {"17"}

    def test_17_a_request_delayed_beyond_its_lease_left_in_time(self, scene: Scene) -> None:
        scene.arrivals[0] = replace(scene.arrivals[0], left_at=at(58), lease_until=at(59))
        assert scene.broken() == set()
        scene.arrivals[0] = replace(scene.arrivals[0], lease_until=at(57))
        assert scene.broken() == {"17"}

    def test_26_a_buy_for_an_expired_decision(self, scene: Scene) -> None:
        scene.change("decisions", lambda row: True, expires_at=at(60.9))
        assert scene.broken() == {"26"}

    def test_26_an_order_for_a_superseded_decision(self, scene: Scene) -> None:
        scene.add("decisions", DecisionRow("decision-2", at(120), at(60.8), at(180)))
        assert scene.broken() == {"26"}


class TestEndings:
    def test_12_a_second_look_that_sends(self, scene: Scene) -> None:
        assert scene.broken(sends_after_quiet=1) == {"12"}

    def test_13_a_fill_that_is_not_booked(self, scene: Scene) -> None:
        scene.engine.on_step(SYMBOL, step(90_000, 94.5))
        order = scene.engine.state.by_client_id(SYMBOL, STOP)
        assert order is not None and order.filled > 0
        assert "13" in scene.broken()

    def test_13_an_open_breaker_admits_the_difference(self, scene: Scene) -> None:
        scene.engine.on_step(SYMBOL, step(90_000, 94.5))
        scene.add("events", event("breaker_opened", 95))
        assert "13" not in scene.broken()

    def test_13_an_order_open_in_the_ledger_only(self, scene: Scene) -> None:
        scene.engine.cancel(SYMBOL, 90_000, client_id=STOP)
        scene.now = at(90)
        assert scene.broken() == {"13"}

    def test_13_coins_sold_by_hand_that_nobody_noticed(self, scene: Scene) -> None:
        scene.engine.cancel(SYMBOL, 90_000, client_id=STOP)
        scene.change("orders", lambda row: row.client_order_id == STOP, state="CANCELED")
        scene.add("order_events", OrderEventRow(99, STOP, at(90), "CANCELED", "test"))
        sold = scene.engine.place(request("sell", "MARKET", "8.991", client_id="web_1"), 91_000)
        scene.add("fills", *(fill_row(trade) for trade in scene.engine.state.trades_of(sold.id)))
        assert scene.broken() == {"13"}
        scene.add("locks", LockRow("*", SYMBOL, "coins are missing", at(95), None, None))
        assert scene.broken() == set()

    def test_22_an_unknown_order_that_nobody_speaks_of(self, scene: Scene) -> None:
        scene.change("orders", lambda row: row.client_order_id == STOP, state="UNKNOWN")
        scene.change("order_events", lambda row: (row.client_order_id, row.state) == (STOP, "OPEN"), state="UNKNOWN")
        scene.now = at(62 + 59)
        assert scene.broken() == set()
        scene.now = at(62 + 61)
        assert scene.broken() == {"22"}
        scene.add("events", event("order_unknown", 63, client_order_id=STOP))
        assert scene.broken() == set()
        scene.now = at(62 + 901)
        assert scene.broken() == {"22"}

    def test_23_a_position_without_a_stop(self, scene: Scene) -> None:
        scene.engine.cancel(SYMBOL, 90_000, client_id=STOP)
        scene.now = at(91)
        assert "23" not in scene.broken(quiet=False)
        scene.now = at(100.9)
        assert "23" not in scene.broken(quiet=False)
        scene.now = at(101.1)
        assert "23" in scene.broken(quiet=False)

    def test_23_the_time_counts_from_the_last_disturbance(self, scene: Scene) -> None:
        scene.engine.cancel(SYMBOL, 90_000, client_id=STOP)
        scene.now = at(91)
        scene.violations(quiet=False)
        scene.now = at(105)
        away = [(at(90), at(96))]
        assert "23" not in scene.broken(quiet=False, disturbances=away)
        scene.now = at(107)
        assert "23" in scene.broken(quiet=False, disturbances=away)

    def test_23_while_a_sale_is_in_doubt_the_time_counts_from_its_bound(self, scene: Scene) -> None:
        scene.engine.cancel(SYMBOL, 90_000, client_id=STOP)
        scene.change("orders", lambda row: row.client_order_id == STOP, state="UNKNOWN", sent_at=at(90))
        scene.now = at(91)
        scene.violations(quiet=False)
        scene.now = at(114.9)
        assert "23" not in scene.broken(quiet=False)
        scene.now = at(115.1)
        assert "23" in scene.broken(quiet=False)

    def test_23_a_stop_that_came_back_starts_the_time_again(self, scene: Scene) -> None:
        scene.engine.cancel(SYMBOL, 90_000, client_id=STOP)
        scene.now = at(91)
        scene.violations(quiet=False)
        scene.place(OTHER, "protect", "STOP_LOSS_LIMIT", "8.991", second=92, price=94, stop=95)
        scene.violations(quiet=False)
        assert scene.memory.unprotected_since == {}

    @pytest.mark.parametrize("untradable", [frozenset({SYMBOL})])
    def test_23_a_delisted_symbol_cannot_be_protected(self, scene: Scene, untradable: frozenset[str]) -> None:
        scene.engine.cancel(SYMBOL, 90_000, client_id=STOP)
        scene.violations(quiet=False, untradable=untradable)
        scene.now += timedelta(seconds=60)
        assert "23" not in scene.broken(quiet=False, untradable=untradable)


def test_limits_are_those_given_not_those_of_the_judge(scene: Scene) -> None:
    tight = Limits(Decimal("0.01"), LIMITS.total_weight_max, LIMITS.unprotected_s_max)
    assert scene.broken(limits=tight) == {"15"}
