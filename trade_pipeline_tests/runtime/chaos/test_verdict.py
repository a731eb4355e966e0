"""Each promise of the verdict is broken once, and named; a sound stack passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from trade_pipeline.ledger.records import Intent, Order
from trade_pipeline.runtime.chaos.verdict import Evidence, judge
from trade_pipeline.schemas.trading import OrderRequest, OrderState, OrderType, Role, Side, TimeInForce

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
ONE = "7c01" + "0" * 27 + "1"
TWO = "7c01" + "0" * 27 + "2"


def _order(identity: str = ONE, state: OrderState = OrderState.OPEN, filled: str = "0", intent: str = "i1") -> Order:
    request = OrderRequest(
        symbol="BTC/USDT",
        side=Side.BUY,
        type=OrderType.LIMIT,
        amount=Decimal(1),
        price=Decimal(100),
        time_in_force=TimeInForce.GTC,
        client_order_id=identity,
    )
    return Order(
        identity, intent, 0, "main", "BTC/USDT", Role.ENTRY, request, state, "1", Decimal(filled), Decimal(0),
        NOW, NOW, NOW, NOW, "test",
    )  # fmt: skip


def _intent() -> Intent:
    return Intent(
        "i1", "main", None, "BTC/USDT", Role.ENTRY, Side.BUY, Decimal(1), "trend", {}, "", None, None, NOW
    )  # fmt: skip


def _sound(**changes: Any) -> Evidence:
    sound = Evidence(
        ledger_balances={"USDT": Decimal("9900.00000001")},
        exchange_balances={"USDT": Decimal("9900.00000001")},
        ledger_open=frozenset({ONE}),
        exchange_open=frozenset({ONE}),
        ledger_fills=3,
        exchange_trades=3,
        exchange_sent=(ONE,),
        orders=(_order(),),
        intents={"i1": _intent()},
        unprotected=(),
        executed_since_quiet=True,
    )
    return replace(sound, **changes)


def test_a_sound_stack_passes_every_judgement() -> None:
    assert all(item.passed for item in judge(_sound()))


@pytest.mark.parametrize(
    ("changes", "name", "found"),
    [
        ({"exchange_balances": {"USDT": Decimal("9900.00000002")}}, "balances", "USDT: ledger 9900.00000001"),
        ({"exchange_balances": {"USDT": Decimal("9900.00000001"), "BTC": Decimal(1)}}, "balances", "BTC: ledger 0"),
        ({"exchange_open": frozenset()}, "open orders", "only in the ledger"),
        ({"ledger_open": frozenset()}, "open orders", "only on the exchange"),
        ({"ledger_fills": 4}, "every trade", "ledger 4, exchange 3"),
        ({"exchange_sent": (ONE, ONE)}, "doubled", "2 times"),
        ({"exchange_sent": (ONE, TWO)}, "doubled", f"{TWO} is not in the ledger"),
        ({"orders": (_order(), _order(TWO))}, "one order per intent", "2 live orders"),
        (
            {"orders": (_order(state=OrderState.CANCELED, filled="0.6"), _order(TWO, OrderState.FILLED, "0.6"))},
            "one order per intent",
            "wanted 1 and got 1.2",
        ),
        ({"orders": (_order(state=OrderState.UNKNOWN),)}, "open to doubt", "UNKNOWN"),
        ({"unprotected": ("ETH/USDT",)}, "protected", "ETH/USDT"),
        ({"not_proven": ("event 7 was changed",)}, "proves itself", "event 7"),
        ({"executed_since_quiet": False}, "decisions go on", "none"),
    ],
)
def test_a_broken_promise_is_named(changes: dict[str, Any], name: str, found: str) -> None:
    (failed,) = [item for item in judge(_sound(**changes)) if not item.passed]
    assert name in failed.name
    assert found in failed.found
