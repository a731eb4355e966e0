"""What holds after any sequence of orders and steps."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from trade_pipeline.exchange.engine import lists
from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.exchange.engine.rejections import Rejected
from trade_pipeline.exchange.store import Store
from trade_pipeline_tests.exchange.builders import SYMBOL, dec, engine, request, step

KINDS = ["MARKET", "LIMIT", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"]
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from([*KINDS, "step", "step", "cancel", "oco"]),
        st.sampled_from(["buy", "sell"]),
        st.integers(1, 4000),  # hundredths of a base unit
        st.integers(-800, 800),  # ticks from 100
        st.sampled_from(["GTC", "IOC", "FOK"]),
    ),
    max_size=60,
)


def _play(on: Engine, actions: list[tuple[str, str, int, int, str]]) -> None:
    for number, (kind, side, size, away, tif) in enumerate(actions):
        now, amount, price = 2000 + number * 10, dec(size) / 100, dec(100) + dec(away) / 100
        try:
            if kind == "step":
                on.on_step(SYMBOL, step(now, float(price), volume=size / 50, down=away < 0))
            elif kind == "cancel":
                on.cancel(SYMBOL, now, order_id=size % 20)
            elif kind == "oco":
                limit = request("sell", "LIMIT_MAKER", amount, price=dec(100) + abs(dec(away)) / 100)
                stop = request("sell", "STOP_LOSS", amount, stop=dec(100) - abs(dec(away)) / 100)
                lists.place_oco(on, limit, stop, None, now)
            else:
                more: dict[str, object] = {}
                if "LIMIT" in kind:
                    more["price"] = price
                if kind not in {"MARKET", "LIMIT", "LIMIT_MAKER"}:
                    more["stop"] = price + 1
                if "LIMIT" in kind and kind != "LIMIT_MAKER":
                    more["tif"] = tif
                on.place(request(side, kind, amount, **more), now)
        except Rejected:
            pass


@settings(max_examples=150, deadline=None)
@given(ACTIONS, st.sampled_from([None, "BNB"]))
def test_balances_are_the_opening_plus_the_flows_and_never_negative(actions, fee_asset) -> None:  # type: ignore[no-untyped-def]
    on = engine(fee_asset=fee_asset, balances={"BNB": dec("0.01")})
    on.on_step("BNB/USDT", step(1000, 500))
    _play(on, actions)
    expected: dict[str, Decimal] = defaultdict(Decimal, {"USDT": dec(10_000), "BTC": dec(50), "BNB": dec("0.01")})
    for trade in on.trades(SYMBOL):
        sign = 1 if trade.side == "buy" else -1
        expected["BTC"] += sign * trade.amount
        expected["USDT"] -= sign * trade.quote
        expected[trade.fee_asset] -= trade.fee
    for asset, amount in expected.items():
        free, locked = on.state.balances.free(asset), on.state.balances.locked(asset)
        assert free >= 0
        assert locked >= 0
        assert free + locked == amount


@settings(max_examples=100, deadline=None)
@given(ACTIONS)
def test_an_order_is_never_filled_beyond_its_amount_and_its_fills_add_up(actions) -> None:  # type: ignore[no-untyped-def]
    on = engine()
    _play(on, actions)
    for order in on.state.orders.values():
        fills = on.state.trades_of(order.id)
        assert sum((fill.amount for fill in fills), dec(0)) == order.filled <= order.amount
        assert sum((fill.quote for fill in fills), dec(0)) == order.quote_filled
        assert order.is_open or order.locked == 0
        assert (order.status == "FILLED") == (order.remaining == 0)


@settings(max_examples=100, deadline=None)
@given(ACTIONS)
def test_what_is_locked_is_what_the_open_orders_locked(actions) -> None:  # type: ignore[no-untyped-def]
    on = engine()
    _play(on, actions)
    for asset, side in (("USDT", "buy"), ("BTC", "sell")):
        held = sum((order.locked for order in on.state.all_open_orders() if order.side == side), dec(0))
        assert held == on.state.balances.locked(asset)


@settings(max_examples=50, deadline=None)
@given(ACTIONS)
def test_the_same_calls_give_the_same_state_and_a_stored_state_reads_back_the_same(actions) -> None:  # type: ignore[no-untyped-def]
    on, again = engine(), engine()
    _play(on, actions)
    _play(again, actions)
    assert on.state == again.state or _facts(on) == _facts(again)
    store = Store(None)
    store.save(on.state)
    loaded = store.load()
    assert loaded is not None
    assert loaded.orders == on.state.orders
    assert {s: t for s, t in loaded.trades.items() if t} == {s: t for s, t in on.state.trades.items() if t}
    assert loaded.lists == on.state.lists
    assert [loaded.balances.free(a) for a in ("BTC", "USDT")] == [on.state.balances.free(a) for a in ("BTC", "USDT")]


def _facts(on: Engine) -> object:
    balances = [(asset, on.state.balances.free(asset)) for asset in on.state.balances.assets()]
    return on.state.orders, on.state.trades, on.state.lists, balances
