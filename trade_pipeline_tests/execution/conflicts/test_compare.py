"""Every kind of difference is found from plain values, and agreement finds nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from trade_pipeline.execution.conflicts.compare import Sides, compare
from trade_pipeline.execution.conflicts.kinds import Finding, Kind
from trade_pipeline.execution.readback.sanity import bad_balances, sort_orders, with_expected
from trade_pipeline.ledger.records import Fill, Order
from trade_pipeline.schemas.trading import (
    AccountReading,
    Balance,
    MarketRules,
    OrderRequest,
    OrderState,
    OrderType,
    Position,
    Role,
    Side,
)
from trade_pipeline_tests.execution.fake_venue import make_rules
from trade_pipeline_tests.fakes import START, make_request, make_venue_order

BTC = "BTC/USDT"
OLD = START - timedelta(hours=1)
OURS, THEIRS = "7c01" + "a" * 28, "web_1"


def held(symbol: str = BTC, amount: str = "1", updated_at: object = OLD) -> Position:
    value = Decimal(amount)
    return Position("main", symbol, value, value * 100, Decimal(0), Decimal(0), OLD, OLD)


def stop(symbol: str = BTC, named: str = OURS) -> OrderRequest:
    price = Decimal(95)
    return make_request(
        named, symbol=symbol, side=Side.SELL, type=OrderType.STOP_LOSS_LIMIT, price=price, stop_price=price
    )


def order(request: OrderRequest, state: OrderState = OrderState.OPEN, role: Role = Role.PROTECT) -> Order:
    zero = Decimal(0)
    return Order(
        client_order_id=request.client_order_id,
        intent_id="i",
        attempt=0,
        account="main",
        symbol=request.symbol,
        role=role,
        request=request,
        state=state,
        venue_order_id="77",
        filled=zero,
        quote_filled=zero,
        planned_at=OLD,
        sent_at=OLD,
        acknowledged_at=OLD,
        updated_at=OLD,
        last_evidence="",
    )


def reading(**totals: str) -> AccountReading:
    return AccountReading({a: Balance(a, Decimal(t), Decimal(0)) for a, t in totals.items()}, START)


def sides(**changes: object) -> Sides:
    """One BTC, bought and stopped, on which both sides agree."""
    values: dict[str, object] = {
        "now": START,
        "prefix": "7c01",
        "quote": "USDT",
        "dust_quote": Decimal("0.01"),
        "unprotected_for": timedelta(seconds=10),
        "positions": [held()],
        "expected": {"BTC": Decimal(1), "USDT": Decimal(100)},
        "live": [order(stop())],
        "reading": reading(BTC="1", USDT="100"),
        "open_orders": [make_venue_order(stop(), "77")],
        "rules": {BTC: make_rules()},
    }
    return Sides(**(values | changes))  # type: ignore[arg-type]  # a test names only what it is about


def only(**changes: object) -> Finding:
    (found,) = compare(sides(**changes))
    return found


def test_agreement_finds_nothing() -> None:
    assert compare(sides()) == []


def test_unmanaged_coins_beside_a_position_are_no_difference() -> None:
    assert (
        compare(sides(expected={"BTC": Decimal(3), "USDT": Decimal(100)}, reading=reading(BTC="3", USDT="100"))) == []
    )


def test_missing_coins_name_what_is_managed_and_what_is_there() -> None:
    found = only(expected={"BTC": Decimal("0.4"), "USDT": Decimal(100)}, reading=reading(BTC="0.4", USDT="100"))
    assert (found.kind, found.subject, found.gap, found.dust) == (Kind.POSITION_SHORT, BTC, Decimal("-0.6"), False)


def test_two_positions_of_one_base_share_what_is_there() -> None:
    other = "BTC/EUR"
    found = compare(
        sides(
            positions=[held(other), held()],
            live=[order(stop()), order(stop(other, "7c01" + "b" * 28))],
            open_orders=[make_venue_order(stop(), "77"), make_venue_order(stop(other, "7c01" + "b" * 28), "78")],
            rules={BTC: make_rules(), other: make_rules(other)},
            expected={"BTC": Decimal("1.5"), "USDT": Decimal(100)},
            reading=reading(BTC="1.5", USDT="100"),
        )
    )
    assert [(item.kind, item.subject, item.gap) for item in found] == [(Kind.POSITION_SHORT, BTC, Decimal("-0.5"))]


def test_a_position_that_changed_after_the_reading_is_not_compared_with_it() -> None:
    newer = replace(held(), updated_at=START)
    assert compare(sides(positions=[newer], reading=reading(USDT="100"), expected={"USDT": Decimal(100)})) == []


@pytest.mark.parametrize(
    ("totals", "kind", "subject", "gap", "dust"),
    [
        ({"BTC": "1.5", "USDT": "100"}, Kind.POSITION_LONG, "BTC", "0.5", False),
        ({"BTC": "1.0009", "USDT": "100"}, Kind.POSITION_LONG, "BTC", "0.0009", True),
        ({"BTC": "1", "USDT": "150"}, Kind.BALANCE_RESIDUAL, "USDT", "50", False),
        ({"BTC": "1", "USDT": "100.01"}, Kind.BALANCE_RESIDUAL, "USDT", "0.01", True),
        ({"BTC": "1", "USDT": "100", "XYZ": "0.1"}, Kind.BALANCE_RESIDUAL, "XYZ", "0.1", False),
    ],
)
def test_a_balance_that_nobody_explains_is_a_residual_and_dust_below_one_step(
    totals: Mapping[str, str], kind: Kind, subject: str, gap: str, dust: bool
) -> None:
    found = only(reading=reading(**totals))
    assert (found.kind, found.subject, found.gap, found.dust) == (kind, subject, Decimal(gap), dust)


def test_an_order_without_our_prefix_is_foreign_and_one_of_a_flatten_is_not() -> None:
    theirs = make_venue_order(make_request(THEIRS), "5")
    found = only(open_orders=[make_venue_order(stop(), "77"), theirs])
    assert (found.kind, found.key.reference) == (Kind.FOREIGN_ORDER, "5")
    assert compare(sides(open_orders=[make_venue_order(stop(), "77"), theirs], journaled=frozenset({THEIRS}))) == []


def test_an_order_that_the_exchange_denies_is_missing() -> None:
    found = compare(sides(open_orders=[], denied=[OURS]))
    assert {item.kind for item in found} == {Kind.MISSING_ORDER, Kind.PROTECTION_MISSING}


@pytest.mark.parametrize("name", ["amount", "price", "stop_price"])
def test_an_order_that_rests_differently_than_it_was_sent_is_named(name: str) -> None:
    listed = replace(make_venue_order(stop(), "77"), **{name: Decimal("0.5")})  # type: ignore[arg-type]  # one of three
    found = only(open_orders=[listed])
    assert (found.kind, list(found.detail)) == (Kind.ORDER_DIFFERS, [name.replace("_", " ")])


def test_more_filled_than_there_are_trades_is_a_truncated_history() -> None:
    listed = replace(make_venue_order(stop(), "77"), filled=Decimal("0.5"))
    assert only(open_orders=[listed]).kind == Kind.HISTORY_TRUNCATED


def test_a_trade_of_others_is_named_by_its_id() -> None:
    one = Decimal(1)
    fill = Fill("main", BTC, "9", None, "5", Side.SELL, one, one, Decimal(0), "USDT", Decimal(0), START, False)
    found = only(foreign_fills=[fill])
    assert (found.kind, found.key.reference, found.exchange_amount) == (Kind.FOREIGN_TRADE, "9", one)


def test_a_position_without_a_stop_is_unprotected_unless_it_is_dust() -> None:
    assert only(live=[], open_orders=[]).kind == Kind.PROTECTION_MISSING
    dust = {"positions": [held(amount="0.01")], "expected": {"BTC": Decimal("0.01"), "USDT": Decimal(100)}}
    assert compare(sides(live=[], open_orders=[], reading=reading(BTC="0.01", USDT="100"), **dust)) == []


def test_a_position_without_a_market_is_named_and_the_others_go_on() -> None:
    found = compare(sides(rules={}))
    assert [item.kind for item in found] == [Kind.MARKET_MISSING]


@pytest.mark.parametrize("value", ["-1", "NaN", "Infinity"])
def test_an_impossible_balance_is_named_and_the_ledger_stands_in_for_it(value: str) -> None:
    told = AccountReading({"BTC": Balance("BTC", Decimal(value), Decimal(0))}, START)
    wrong = bad_balances(told)
    assert wrong == {"BTC": f"free is {value}"}
    safe = with_expected(told, wrong, {"BTC": Decimal(1), "USDT": Decimal(100)})
    assert safe.total("BTC") == 1
    found = compare(sides(reading=replace(safe, balances={**safe.balances, **reading(USDT="100").balances}),
                          bad_balances=wrong))  # fmt: skip
    assert [(item.kind, item.subject) for item in found] == [(Kind.BAD_BALANCE, "BTC")]


def test_orders_that_cannot_be_true_are_left_out_and_named() -> None:
    good = make_venue_order(make_request("7c01" + "1" * 28), "1")
    twins = [make_venue_order(make_request("7c01" + "2" * 28), order_id) for order_id in ("2", "3")]
    bad = [
        replace(good, order_id="4", client_order_id="x", amount=Decimal("NaN")),
        replace(good, order_id="5", client_order_id="y", filled=Decimal(2)),
        replace(good, order_id="6", client_order_id="z", amount=Decimal(0)),
    ]
    kept, left_out = sort_orders([good, good, *twins, *bad])
    assert kept == [good], "a doubled row is no contradiction"
    assert [item.why for item in left_out] == [
        "the same client order id is listed for two orders",
        "the same client order id is listed for two orders",
        "its amount is NaN",
        "2 of 1 are filled",
        "its amount is 0",
    ]
    found = compare(sides(bad_orders=left_out))
    assert {item.kind for item in found} == {Kind.BAD_ORDER}


class Counted(dict[str, MarketRules]):
    """Rules that count how often they are asked."""

    asked = 0

    def get(self, key: str, default: object = None) -> MarketRules | None:  # type: ignore[override]  # narrower
        Counted.asked += 1
        return super().get(key)

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("the list of symbols is not to be walked through")


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_the_work_grows_with_the_positions_and_not_with_their_square(count: int) -> None:
    """Operations are counted, not timed: at most a fixed number of look-ups for each position."""
    names = [f"A{number}/USDT" for number in range(count)]
    requests = [stop(name, f"7c01{number:028x}") for number, name in enumerate(names)]
    Counted.asked = 0
    found = compare(
        sides(
            positions=[held(name) for name in names],
            live=[order(request) for request in requests],
            open_orders=[make_venue_order(request, str(number)) for number, request in enumerate(requests)],
            expected={name.split("/")[0]: Decimal(1) for name in names},
            reading=reading(**{name.split("/")[0]: "0.5" for name in names}),
            rules=Counted({name: make_rules(name) for name in names}),
        )
    )
    assert len(found) == 2 * count, "a shortfall and a residual each"
    assert Counted.asked <= 4 * count
