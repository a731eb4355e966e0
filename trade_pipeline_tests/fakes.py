"""Small hand-written stand-ins and factories that several rooms use."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from trade_pipeline.ledger.records import Decision, Intent, Target
from trade_pipeline.schemas.trading import (
    AccountSnapshot,
    OrderRequest,
    OrderState,
    OrderType,
    Role,
    Side,
    TargetKind,
    VenueOrder,
    VenueTrade,
)

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@dataclass
class FakeClock:
    """A clock that stands still until it is told otherwise."""

    at: datetime = field(default=START)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> datetime:
        self.at += timedelta(seconds=seconds)
        return self.at


def make_intent(intent_id: str = "intent-1", **changes: object) -> Intent:
    values: dict[str, object] = {
        "intent_id": intent_id,
        "account": "main",
        "decision_id": None,
        "symbol": "BTC/USDT",
        "role": Role.ENTRY,
        "side": Side.BUY,
        "amount": Decimal("1"),
        "strategy": "trend",
        "sleeves": {"trend": Decimal("1")},
        "reason": "target above position",
        "decision_price": Decimal("100"),
        "stop_distance": Decimal("5"),
        "created_at": START,
    }
    return Intent(**(values | changes))  # type: ignore[arg-type]  # a test names only what it is about


def make_request(client_order_id: str = "7c01" + "0" * 28, **changes: object) -> OrderRequest:
    values: dict[str, object] = {
        "client_order_id": client_order_id,
        "symbol": "BTC/USDT",
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "amount": Decimal("1"),
        "price": Decimal("100"),
    }
    return OrderRequest(**(values | changes))  # type: ignore[arg-type]  # as above


def make_venue_order(
    request: OrderRequest, order_id: str, state: OrderState = OrderState.OPEN, filled: str = "0"
) -> VenueOrder:
    return VenueOrder(
        order_id=order_id,
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        amount=request.amount,
        filled=Decimal(filled),
        quote_filled=Decimal(filled) * (request.price or Decimal(100)),
        state=state,
        venue_status=str(state),
        price=request.price,
        stop_price=request.stop_price,
        created_at=START,
        updated_at=START,
    )


def make_trade(trade_id: int, order_id: str = "1", **changes: object) -> VenueTrade:
    """A trade of 1 BTC at 100 USDT without a fee, `trade_id` seconds after START."""
    values: dict[str, object] = {
        "symbol": "BTC/USDT",
        "trade_id": str(trade_id),
        "order_id": order_id,
        "side": Side.BUY,
        "price": Decimal("100"),
        "amount": Decimal("1"),
        "fee": Decimal("0"),
        "fee_asset": "USDT",
        "at": START + timedelta(seconds=trade_id),
        "is_maker": False,
    }
    return VenueTrade(**(values | changes))  # type: ignore[arg-type]  # as above


def make_snapshot(snapshot_id: str = "snapshot-1") -> AccountSnapshot:
    return AccountSnapshot(
        snapshot_id=snapshot_id,
        account="main",
        at=START,
        quote_asset="USDT",
        quote_free=Decimal("9000.5"),
        quote_total=Decimal("10000"),
        equity_quote=Decimal("10100.123456789012345678"),
        peak_equity_quote=Decimal("10200"),
        positions={"BTC/USDT": Decimal("0.5")},
        open_entries={"ETH/USDT": Decimal("-1.25")},
        marks={"BTC/USDT": Decimal("100.1")},
    )


def make_decision(decision_id: str = "d" * 32, **changes: object) -> Decision:
    values: dict[str, object] = {
        "decision_id": decision_id,
        "account": "main",
        "mode": "sim",
        "as_of": START,
        "decided_at": START + timedelta(seconds=1),
        "run_id": "run-1",
        "partition": "2026-01-05",
        "settings_hash": "s" * 32,
        "code_version": "c0de",
        "snapshot_id": "snapshot-1",
        "inputs": {"bars": {"version": 3, "hash": "ab", "rows": 600}},
        "expires_at": START + timedelta(seconds=60),
    }
    return Decision(**(values | changes))  # type: ignore[arg-type]  # as above


def make_target(decision_id: str = "d" * 32, symbol: str = "BTC/USDT", **changes: object) -> Target:
    values: dict[str, object] = {
        "decision_id": decision_id,
        "symbol": symbol,
        "kind": TargetKind.SET,
        "quantity": Decimal("1"),
        "price": Decimal("100"),
        "stop_distance": Decimal("5"),
        "score": 0.5,
        "weight": 0.1,
        "strategy": "trend",
        "sleeves": {"trend": Decimal("1")},
        "expires_at": START + timedelta(seconds=60),
        "reason": "trend up",
    }
    return Target(**(values | changes))  # type: ignore[arg-type]  # as above
