"""A clean moment that tests spoil: one entry bought, its stop resting, the ledger in step with the exchange.

The exchange is the real matching engine; the ledger's rows are written here by hand, as they should be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.exchange.engine.orders import Order, Trade
from trade_pipeline.faults.oracle import Arrival, Book, Case, Limits, Memory, Truth, Violation, judge
from trade_pipeline.faults.oracle.book import (
    DecisionRow,
    EventRow,
    FillRow,
    FlowRow,
    IntentRow,
    OrderEventRow,
    OrderRow,
    PositionRow,
    SleeveRow,
)
from trade_pipeline_tests.exchange.builders import BNB, BTC, SYMBOL, dec, request, step

PREFIX = "7c01"
ENTRY, STOP = PREFIX + "a" * 28, PREFIX + "b" * 28
EPOCH = datetime.fromtimestamp(0, UTC)
LIMITS = Limits(Decimal("0.10"), Decimal("0.60"), unprotected_s_max=10)


def at(second: float) -> datetime:
    return EPOCH + timedelta(seconds=second)


@dataclass
class Scene:
    """Lists that a test changes before it asks `violations`."""

    engine: Engine
    rows: dict[str, list[Any]] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    now: datetime = field(default=at(100))

    def case(self, **changes: Any) -> Case:
        facts: dict[str, Any] = {"quiet": True, "arrivals": self.arrivals, "memory": self.memory, "limits": LIMITS}
        book = Book.of(**self.rows)
        return Case("main", self.now, Truth(self.engine, PREFIX), book, **(facts | changes))

    def violations(self, **changes: Any) -> list[Violation]:
        return judge(self.case(**changes))

    def broken(self, **changes: Any) -> set[str]:
        """Numbers of the invariants that are broken: {"05"}."""
        return {violation.invariant.removeprefix("invariant_") for violation in self.violations(**changes)}

    def change(self, table: str, chosen: Callable[[Any], bool], **changes: Any) -> None:
        """Rewrite the chosen rows of a table."""
        assert any(chosen(row) for row in self.rows[table]), f"no such row in {table}"
        self.rows[table] = [replace(row, **changes) if chosen(row) else row for row in self.rows[table]]

    def add(self, table: str, *rows: Any) -> None:
        self.rows.setdefault(table, []).extend(rows)

    def place(self, client_id: str, role: str, kind: str, amount: object, *, second: float, **more: Any) -> Order:
        """An order at the exchange, its arrival, and its rows as a sound ledger writes them."""
        side = more.pop("side", "buy" if role == "entry" else "sell")
        intent_id, decision_id = more.pop("intent", f"intent-{client_id[4:8]}"), more.pop("decision", None)
        attempt = more.pop("attempt", 0)
        new = request(side, kind, amount, client_id=client_id, **more)
        order = self.engine.place(new, int(second * 1000))
        arrival = Arrival(
            len(self.arrivals) + 1, client_id, SYMBOL, side, kind, dec(amount), new.price, new.stop_price,
            at(second), at(second), accepted=True, holder="guard", booked_state="SENT", lease_holder="guard",
            lease_until=at(second + 15), worst_symbol_quote=dec(900), worst_total_quote=dec(900),
            equity_quote=dec(10_000),
        )  # fmt: skip
        self.arrivals.append(arrival)
        if not any(row.intent_id == intent_id for row in self.rows.get("intents", [])):
            intent = IntentRow(
                intent_id, decision_id, SYMBOL, role, side, dec(amount), "test", at(second - 1), at(second + 60)
            )
            self.add("intents", intent)
        state = {"NEW": "OPEN"}.get(order.status, order.status)
        row = OrderRow(
            client_id, intent_id, attempt, SYMBOL, role, side, kind, dec(amount), new.price, new.stop_price, state,
            str(order.id), order.filled, order.quote_filled, at(second), at(second), "created",
        )  # fmt: skip
        self.add("orders", row)
        first = len(self.rows.get("order_events", []))
        for place, name in enumerate(("PLANNED", "SENT", state)):
            self.add("order_events", OrderEventRow(first + place + 1, client_id, at(second), name, "test"))
        self.add("fills", *(fill_row(trade) for trade in self.engine.state.trades_of(order.id)))
        return order


def fill_row(trade: Trade) -> FillRow:
    fee_quote = trade.fee * trade.price if trade.fee_asset == "BTC" else trade.fee
    return FillRow(
        trade.symbol, str(trade.id), str(trade.order_id), str(trade.side), trade.price, trade.amount, trade.fee,
        trade.fee_asset, fee_quote, EPOCH + timedelta(milliseconds=trade.at_ms),
    )  # fmt: skip


def event(kind: str, second: float, *, severity: str = "critical", **changes: Any) -> EventRow:
    row = EventRow(int(second * 10), at(second), kind, severity, None, None, {})
    return replace(row, **changes)


def flow(kind: str, asset: str, amount: object, **changes: Any) -> FlowRow:
    return replace(FlowRow(1, kind, asset, dec(amount), at(0), None, None), **changes)


def clean_scene() -> Scene:
    """9 BTC bought at 100.01 of a decision at second 60, a stop below them; 8.991 are managed."""
    engine = Engine.opened([BTC, BNB], {"USDT": dec(10_000)})
    engine.on_step(SYMBOL, step(61_000, 100))
    scene = Scene(engine)
    scene.add("flows", flow("opening", "USDT", 10_000))
    scene.add("decisions", DecisionRow("decision-1", at(60), at(60.5), at(120)))
    scene.place(ENTRY, "entry", "MARKET", 9, second=61, decision="decision-1")
    scene.place(STOP, "protect", "STOP_LOSS_LIMIT", "8.991", second=62, price=94, stop=95)
    spent = engine.state.orders[1].quote_filled
    fee_quote = sum((fill.fee_quote for fill in scene.rows["fills"]), Decimal(0))
    scene.add("positions", PositionRow(SYMBOL, dec("8.991"), spent - fee_quote, dec(0), fee_quote))
    scene.add("sleeves", SleeveRow(SYMBOL, "trend", dec("8.991")))
    return scene
