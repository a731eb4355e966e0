"""Broken books: each promise about money is broken once by hand, and found."""

from __future__ import annotations

from trade_pipeline.faults.oracle.book import LockRow, SleeveRow
from trade_pipeline_tests.exchange.builders import SYMBOL, dec, request
from trade_pipeline_tests.faults.oracle.scene import (
    PREFIX,
    Scene,
    at,
    flow,
)

OTHER = PREFIX + "c" * 28


def test_01_a_deposit_that_nobody_booked(scene: Scene) -> None:
    scene.engine.state.balances.add("USDT", dec("0.00000001"))
    assert scene.broken() == {"01"}


def test_01_a_deposit_may_stay_unexplained_while_entries_are_halted(scene: Scene) -> None:
    scene.engine.state.balances.add("USDT", dec(50))
    scene.add("locks", LockRow("*", "*", "balances differ", at(90), None, None))
    assert scene.broken() == set()
    scene.change("locks", lambda row: True, unlocked_at=at(95))
    assert scene.broken() == {"01"}


def test_01_less_than_a_step_moved_by_others_needs_no_halt(scene: Scene) -> None:
    scene.engine.state.balances.add("BTC", dec("0.000009"))
    assert scene.broken() == set()
    scene.engine.state.balances.add("BTC", dec("0.000001"))
    assert scene.broken() == {"01"}


def test_01_a_halt_excuses_no_fill_that_is_not_booked(scene: Scene) -> None:
    scene.engine.place(request("buy", "MARKET", 1, client_id="web_1"), 70_000)
    scene.add("locks", LockRow("*", "*", "balances differ", at(90), None, None))
    found = [violation.subject for violation in scene.violations()]
    assert found == ["BTC", "USDT"]


def test_01_is_judged_when_all_is_quiet(scene: Scene) -> None:
    scene.engine.state.balances.add("USDT", dec(1))
    assert scene.broken(quiet=False) == set()


def test_01_a_booked_deposit_is_no_violation(scene: Scene) -> None:
    scene.engine.state.balances.add("USDT", dec(1))
    scene.add("flows", flow("residual", "USDT", 1))
    assert scene.broken() == set()


def test_02_a_position_that_forgot_its_fee(scene: Scene) -> None:
    scene.change("positions", lambda row: True, amount=dec(9))
    scene.change("sleeves", lambda row: True, amount=dec(9))
    assert scene.broken() == {"02"}


def test_02_adopted_coins_belong_to_the_position(scene: Scene) -> None:
    scene.engine.state.balances.add("BTC", dec(1))
    scene.add("flows", flow("deposit", "BTC", 1), flow("adoption", "BTC", 1, symbol=SYMBOL, price=dec(100)))
    assert scene.broken() == {"02", "24", "25"} - {"25"}
    cost = scene.rows["positions"][0].cost_quote
    scene.change("positions", lambda row: True, amount=dec("9.991"), cost_quote=cost + 100)
    scene.change("sleeves", lambda row: True, amount=dec("9.991"))
    assert scene.broken() == set()


def test_24_a_fee_counted_twice(scene: Scene) -> None:
    fees = scene.rows["positions"][0].fees_total_quote
    scene.change("positions", lambda row: True, fees_total_quote=fees * 2)
    assert scene.broken() == {"24"}


def test_25_a_sleeve_too_small(scene: Scene) -> None:
    scene.change("sleeves", lambda row: True, amount=dec("8.99"))
    assert scene.broken() == {"25"}


def test_25_two_sleeves_that_add_up_are_fine(scene: Scene) -> None:
    scene.change("sleeves", lambda row: True, amount=dec(4))
    scene.add("sleeves", SleeveRow(SYMBOL, "mean_reversion", dec("4.991")))
    assert scene.broken() == set()


def test_27_a_balance_below_zero(scene: Scene) -> None:
    scene.engine.state.balances.restore("BNB", dec(-1), dec(0))
    assert scene.broken(quiet=False) == {"27"}
