"""Which stops should rest, and what is done about the difference. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trade_pipeline.execution.exits.values import ExitReason
from trade_pipeline.execution.guard.memory import fresh
from trade_pipeline.execution.guard.protect import (
    CANCEL_AGAIN_AFTER,
    MOVED_EVERY,
    Do,
    Watch,
    actions,
    unprotected,
)
from trade_pipeline.execution.guard.requests import stop_request
from trade_pipeline.execution.guard.views import Sight, View, begin, look
from trade_pipeline.ledger.records import Order
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
from trade_pipeline.settings.exits import ExitSettings
from trade_pipeline_tests.execution.fake_venue import BTC, make_rules, make_top
from trade_pipeline_tests.fakes import START, make_request

EXITS = ExitSettings()
NOW = START + timedelta(minutes=1)
STOP = Decimal(95)


def position(amount: str = "1") -> Position:
    return Position("main", BTC, Decimal(amount), Decimal(amount) * 100, Decimal(0), Decimal(0), START, START)


def resting(amount: str = "1", state: OrderState = OrderState.OPEN, role: Role = Role.PROTECT) -> Order:
    request = make_request(
        side=Side.SELL,
        type=OrderType.STOP_LOSS_LIMIT,
        amount=Decimal(amount),
        price=Decimal("94.52"),
        stop_price=STOP,
    )
    return Order(request.client_order_id, "intent", 0, "main", BTC, role, request, state, "7", Decimal(0),
                 Decimal(0), START, START, START, NOW, "test")  # fmt: skip


def watch(amount: str = "1", *orders: Order, last: str = "100", **changes: object) -> Watch:
    held = (position(amount),) if Decimal(amount) else ()
    seen = Watch(NOW, held, orders, {BTC: make_rules()}, {BTC: make_top(BTC, NOW, last)}, {BTC: View(STOP)})
    return replace(seen, **changes)  # type: ignore[arg-type]  # a test names only what it is about


def decided(*orders: Order, last: str = "100", amount: str = "1") -> Watch:
    """A watch with the view that the rules give."""
    held = position(amount)
    sight = Sight(held, Decimal(5), Decimal(2), make_rules(), make_top(BTC, NOW, last), orders, NOW)
    view, _ = look(sight, fresh("main", BTC, START, NOW), EXITS)
    return watch(amount, *orders, last=last, views={BTC: view})


def done(seen: Watch) -> list[Do]:
    return [action.do for action in actions(seen, EXITS)]


def test_a_position_without_a_stop_gets_one() -> None:
    (action,) = actions(watch(), EXITS)
    assert (action.do, action.amount, action.level) == (Do.PLACE, Decimal(1), STOP)
    assert unprotected(watch(), EXITS) == {BTC}


def test_a_stop_that_covers_the_position_is_left_alone() -> None:
    assert done(watch("1", resting())) == []
    assert unprotected(watch("1", resting()), EXITS) == set()


def test_a_stop_of_another_amount_is_replaced() -> None:
    (action,) = actions(watch("2", resting("1")), EXITS)
    assert (action.do, action.orders, action.amount) == (Do.PLACE, (resting("1"),), Decimal(2))


def test_a_price_at_the_stop_without_a_stop_is_an_exit() -> None:
    assert done(decided(last="95")) == [Do.EXIT]


def test_a_price_of_zero_is_never_used() -> None:
    """RELIABILITY statement 25."""
    assert done(decided(last="0")) == [Do.PLACE]


def test_a_price_below_the_stops_limit_is_an_exit() -> None:
    (action,) = actions(decided(resting(), last="94"), EXITS)
    assert (action.do, action.orders) == (Do.EXIT, (resting(),))


def test_a_stop_that_rests_above_the_price_is_left_to_the_exchange() -> None:
    assert done(decided(resting(), last="94.9")) == []


def test_a_sale_under_way_is_not_disturbed() -> None:
    assert done(decided(resting(role=Role.EXIT), last="90")) == []


def test_a_stop_of_unknown_fate_is_not_replaced_and_counts_as_missing() -> None:
    seen = watch("1", resting(state=OrderState.UNKNOWN))
    assert done(seen) == []
    assert unprotected(seen, EXITS) == {BTC}


def test_a_cancel_that_nobody_confirmed_is_sent_again_after_a_while() -> None:
    pending = resting(state=OrderState.PENDING_CANCEL)
    assert done(watch("1", pending)) == []
    assert done(watch("1", replace(pending, updated_at=NOW - CANCEL_AGAIN_AFTER * 2))) == [Do.CANCEL]


def test_a_stop_without_a_position_is_cancelled() -> None:
    assert done(watch("0", resting())) == [Do.CANCEL]


def test_residue_has_no_stop_and_is_not_unprotected() -> None:
    assert done(watch("0.01")) == []
    assert unprotected(watch("0.01"), EXITS) == set()
    assert done(watch("0.01", resting())) == [Do.CANCEL]


def test_what_is_worth_too_little_since_the_price_has_fallen_below_its_stop_is_residue() -> None:
    """Worth the minimum of 5 at its stop, and refused at what is bid now: nothing is sent again and again."""
    assert done(watch("0.054", last="96")) == [Do.PLACE]
    fallen = watch("0.054", last="90")
    assert (done(fallen), unprotected(fallen, EXITS)) == ([], set())
    assert done(watch("0.054", resting("0.054"), last="90")) == [Do.CANCEL]


def test_an_entry_that_has_expired_is_cancelled() -> None:
    entry = resting(role=Role.ENTRY)
    assert done(watch("0", entry, expired_entries=frozenset({entry.client_order_id}))) == [Do.CANCEL]


def test_what_the_account_does_not_hold_is_not_stopped_once_two_readings_say_so() -> None:
    def reading(total: str, at_s: float) -> AccountReading:
        return AccountReading({"BTC": Balance("BTC", Decimal(total), Decimal(0))}, START + timedelta(seconds=at_s))

    (action,) = actions(watch(reading=reading("0.4", 10), earlier=reading("0.4", 5)), EXITS)
    assert action.amount == Decimal("0.4")
    assert done(watch(reading=reading("0", 10), earlier=reading("0", 5))) == []
    # One answer without the balance takes no good stop away, and a reading from before the last fill knows nothing.
    assert done(watch("1", resting(), reading=reading("0", 10), earlier=reading("1", 5))) == []
    assert done(watch("1", resting(), reading=reading("0", 10))) == []
    assert done(watch(reading=reading("0", -5), earlier=reading("0", -10))) == [Do.PLACE]


def test_a_partial_exit_with_nothing_left_to_sell_does_not_keep_the_stop_away() -> None:
    """Somebody sold half by hand before it was sent: what is to be kept is all that is left."""
    half = replace(begin("main", BTC, ExitReason.STAGE, Decimal(100), NOW, EXITS), keep=Decimal("0.5"))
    seen = watch(views={BTC: View(STOP, run=half)})
    there = AccountReading({"BTC": Balance("BTC", Decimal("0.5"), Decimal(0))}, NOW)
    assert done(seen) == [Do.EXIT]
    (action,) = actions(replace(seen, reading=there, earlier=there), EXITS)
    assert (action.do, action.amount) == (Do.PLACE, Decimal("0.5"))


def test_the_type_of_a_stop_is_what_the_symbol_offers() -> None:
    def sent(rules: MarketRules) -> OrderRequest:
        return stop_request(BTC, Decimal(1), STOP, "c" * 32, rules, EXITS)

    limited = sent(make_rules())
    assert (limited.type, limited.price) == (OrderType.STOP_LOSS_LIMIT, Decimal("94.52"))
    plain = sent(make_rules(order_types=frozenset({"STOP_LOSS"})))
    assert (plain.type, plain.price) == (OrderType.STOP_LOSS, None)


def test_a_trailing_stop_is_moved_up_by_enough_and_not_too_often() -> None:
    old = replace(resting(), planned_at=NOW - MOVED_EVERY)

    def moved(order: Order, stop: str) -> list[Do]:
        return done(watch("1", order, views={BTC: View(Decimal(stop), trailing=True)}))

    assert moved(old, "95.5") == [Do.PLACE]
    assert moved(old, "95.05") == []
    assert moved(old, "94") == []
    assert moved(replace(old, planned_at=NOW), "95.5") == []


@given(
    amount=st.decimals("0.00001", "50", places=5, allow_nan=False),
    distance=st.decimals("0", "150", places=6, allow_nan=False),
    last=st.decimals("0", "200", places=2, allow_nan=False),
)
def test_no_stop_is_off_the_grid_or_above_the_position(amount: Decimal, distance: Decimal, last: Decimal) -> None:
    rules = make_rules()
    held, top = position(str(amount)), make_top(BTC, NOW, str(last))
    sight = Sight(held, distance, distance / 3, rules, top, (), NOW)
    view, state = look(sight, fresh("main", BTC, START, NOW), EXITS)
    assert view.stop % rules.price_tick == 0
    assert 0 < view.stop <= 100
    assert look(sight, state, EXITS)[0].run == view.run
    for action in actions(watch(str(amount), last=str(last), views={BTC: view}), EXITS):
        assert action.amount <= amount
        assert action.amount % rules.amount_step == 0
        if action.do == Do.PLACE:
            request = stop_request(BTC, action.amount, action.level, "c" * 32, rules, EXITS)
            assert request.price is not None
            assert request.price * request.amount >= rules.notional_min
