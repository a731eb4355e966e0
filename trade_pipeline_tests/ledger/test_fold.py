"""The arithmetic of positions, without a database: the same entries, the same position."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal, localcontext

from hypothesis import given
from hypothesis import strategies as st

from trade_pipeline.ledger.fold import EXACT, QUANTUM, Entry, Running, fold, from_json, to_json
from trade_pipeline_tests.fakes import START

D = Decimal
AMOUNTS = st.decimals("0.00001", "1000", places=5)
PRICES = st.decimals("0.01", "100000", places=2)


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """A history of purchases and sales with fees in base or quote, in the order of time."""
    history: list[Entry] = []
    for number in range(draw(st.integers(1, 12))):
        buying, amount, price = draw(st.booleans()), draw(AMOUNTS), draw(PRICES)
        fee_base = (amount / 1000).quantize(D("1e-8")) if draw(st.booleans()) else D(0)
        shares = draw(st.sampled_from([{"a": D(1)}, {"a": D(1) / 3, "b": D(2) / 3}, {}]))
        history.append(
            Entry(
                kind="fill",
                key=(START + timedelta(seconds=number // 2), "BTC/USDT", 2, f"{number:02d}"),
                signed_amount=amount if buying else -amount,
                price=price,
                fee_base=fee_base,
                fee_quote=fee_base * price if fee_base else amount * price / 1000,
                shares=shares,
            )
        )
    return history


@given(entries())
def test_sleeves_add_up_and_nothing_is_ever_negative(history: list[Entry]) -> None:
    state = Running()
    for entry in history:
        state, _ = fold([entry], state)
        assert sum(state.sleeves.values(), D(0)) == state.amount >= 0
        assert all(amount > 0 for amount in state.sleeves.values())
        assert state.cost >= 0
        assert state.amount or not state.cost


@given(entries())
def test_folding_in_two_parts_through_json_equals_folding_at_once(history: list[Entry]) -> None:
    half = len(history) // 2
    first, closed_first = fold(history[:half])
    second, closed_second = fold(history[half:], from_json(to_json(first)))

    assert (second, closed_first + closed_second) == fold(history)


@given(entries(), PRICES)
def test_equity_changes_by_realised_plus_unrealised_less_fees(history: list[Entry], mark: Decimal) -> None:
    """Only where nothing was oversold: such a sale also sold coins that are not the position's."""
    state, _ = fold(history)
    if state.oversold or state.amount < 0:
        return
    with localcontext(EXACT):
        cash = sum((-entry.signed_amount * entry.price for entry in history), D(0))
        cash -= sum((entry.fee_quote for entry in history if not entry.fee_base), D(0))
        held = sum((entry.signed_amount - entry.fee_base for entry in history), D(0))
        if held != state.amount:
            return  # a base fee was larger than what was left to take it from
        equity = cash + held * mark
        assert equity == state.realised_total + (held * mark - state.cost) - state.fees_total


@given(entries())
def test_closed_trades_carry_the_realised_profit(history: list[Entry]) -> None:
    state, closed = fold(history)
    with localcontext(EXACT):
        gross = sum((trade.profit_quote + trade.fees_quote for trade in closed), D(0))
        assert gross + state.trade_realised == state.realised_total
        assert sum((trade.fees_quote for trade in closed), D(0)) + state.trade_fees <= state.fees_total
    assert [trade.number for trade in closed] == sorted({trade.number for trade in closed})


def test_the_last_sleeve_gets_the_remainder() -> None:
    third = D(1) / 3
    bought = Entry("fill", (START, "X/Y", 1, "1"), D(1), D(1), shares={"a": third, "b": third, "c": third})

    state, _ = fold([bought])

    assert state.sleeves["a"] == state.sleeves["b"] == third.quantize(QUANTUM)
    assert sum(state.sleeves.values()) == 1
