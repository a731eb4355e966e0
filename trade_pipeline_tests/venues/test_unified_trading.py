"""One venue over seven exchanges: ccxt's own classes sign and read over a transport that records. No network."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trade_pipeline import errors
from trade_pipeline.errors import (
    CancelReplaceFailed,
    MalformedAnswer,
    OrderNotFound,
    OrderRefused,
    OutcomeUnknown,
    SymbolUnknown,
    VenueError,
    VenueUnavailable,
)
from trade_pipeline.schemas.trading import Balance, OrderState, OrderType, Side, TimeInForce
from trade_pipeline.venues.capabilities import CAPABILITIES, OrderLimit
from trade_pipeline.venues.order_budget import OrderBudget
from trade_pipeline.venues.unified_client import UnifiedOptions
from trade_pipeline.venues.unified_trading import UnifiedTrading
from trade_pipeline_tests.venues.dialects import BTC, EXCHANGES, OWN, SINCE_MS, cancelled, request
from trade_pipeline_tests.venues.ledgers_of_exchanges import BALANCES, FILL_MS, GONE, REFUSALS, TIMES, TRADES
from trade_pipeline_tests.venues.recorded_transport import NOW_MS, Failure, RecordedTransport, recorded

NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
MADE = datetime.fromtimestamp(SINCE_MS / 1000, UTC)
EACH = pytest.mark.parametrize("exchange", EXCHANGES)


def opened(
    exchange: str, answers: dict[str, Any], budget_path: Path | None = None
) -> tuple[UnifiedTrading, RecordedTransport]:
    """A venue whose two clients share one transport; the exchange's clock is told."""
    path, time = TIMES[exchange]
    client, transport = recorded(exchange, {**answers, path: time})

    def made(options: UnifiedOptions, *, throttled: bool) -> Any:
        return client

    venue = UnifiedTrading(
        UnifiedOptions(exchange, None, 1.0, "k", "c2VjcmV0c2VjcmV0c2VjcmV0", "p"),
        make_client=made,
        order_budget=OrderBudget(OrderLimit(1000, 10.0)),
        now=lambda: NOW,
        symbols=(BTC,),
        budget_path=budget_path,
    )
    venue.markets()
    return venue, transport


def written(transport: RecordedTransport, exchange: str) -> list[Any]:
    """What left for the address of orders."""
    return [sent for sent in transport.sent if sent.method == "POST" and sent.path == EXCHANGES[exchange].create]


@EACH
def test_an_order_is_sent_once_with_our_id_and_read_back_as_it_is_now(exchange: str) -> None:
    known = EXCHANGES[exchange]
    venue, transport = opened(exchange, {**known.look_up, f"POST {known.create}": known.accepted})
    order = venue.create(request(time_in_force=TimeInForce.GTC))
    assert (order.client_order_id, order.order_id) == (OWN, "7")
    assert (order.state, order.filled, order.amount) == (OrderState.PARTIALLY_FILLED, Decimal("0.2"), Decimal("0.5"))
    assert order.quote_filled == Decimal("20.1")
    assert (order.side, order.type, order.price) == (Side.BUY, OrderType.LIMIT, Decimal("100.5"))
    assert len(written(transport, exchange)) == 1


@pytest.mark.parametrize("exchange", [name for name, line in CAPABILITIES.items() if not line.whole_answers])
def test_an_order_that_was_taken_and_cannot_be_read_yet_stands_as_accepted(exchange: str) -> None:
    known = EXCHANGES[exchange]
    answers = {path: answer for path, answer in known.empty.items() if path != known.create}
    venue, transport = opened(exchange, {**answers, known.create: known.accepted})
    order = venue.create(request())
    assert (order.client_order_id, order.state, order.filled) == (OWN, OrderState.OPEN, Decimal(0))
    assert (order.venue_status, order.created_at) == ("accepted", NOW)
    assert len(written(transport, exchange)) == 1


@EACH
def test_an_order_is_looked_up_by_our_id_and_its_fill_is_the_exchanges(exchange: str) -> None:
    venue, _ = opened(exchange, EXCHANGES[exchange].look_up)
    order = venue.order(BTC, OWN)
    assert (order.client_order_id, order.symbol, order.filled) == (OWN, BTC, Decimal("0.2"))
    assert abs(order.created_at - MADE) < timedelta(seconds=1)


@EACH
def test_an_order_that_no_look_up_knows_is_not_found(exchange: str) -> None:
    venue, _ = opened(exchange, EXCHANGES[exchange].empty)
    with pytest.raises(OrderNotFound, match=BTC):
        venue.order(BTC, OWN)


@EACH
@pytest.mark.parametrize("failure", [Failure(0), Failure(502, "<html>Bad Gateway</html>"), Failure(403, "denied")])
def test_a_look_up_that_fails_is_no_proof_of_absence(exchange: str, failure: Failure) -> None:
    venue, _ = opened(exchange, dict.fromkeys(EXCHANGES[exchange].empty, failure))
    with pytest.raises(VenueUnavailable, match=BTC):
        venue.order(BTC, OWN)


@EACH
@pytest.mark.parametrize("failure", [Failure(0), Failure(502, "<html>Bad Gateway</html>"), Failure(403, "denied")])
def test_an_order_whose_answer_is_lost_is_unknown_and_sent_once(exchange: str, failure: Failure) -> None:
    known = EXCHANGES[exchange]
    venue, transport = opened(exchange, {known.create: failure})
    with pytest.raises(OutcomeUnknown, match=r"BTC/USDT.*do not send it again"):
        venue.create(request())
    assert len(written(transport, exchange)) == 1


@EACH
@pytest.mark.parametrize("answer", ["{}", "[]", '"?"', "null", '{"result": 7, "data": 7}'])
def test_an_answer_to_an_order_that_says_nothing_is_an_unknown_outcome(exchange: str, answer: str) -> None:
    known = EXCHANGES[exchange]
    venue, transport = opened(exchange, {known.create: Failure(200, answer)})
    with pytest.raises(OutcomeUnknown, match=BTC):
        venue.create(request())
    assert len(written(transport, exchange)) == 1


MEANT = {
    "funds": errors.InsufficientFunds,
    "minimum": errors.FilterViolation,
    "key": errors.AuthenticationFailed,
    "busy": errors.RateLimited,
    "lost": errors.OutcomeUnknown,
    "unheard": errors.OutcomeUnknown,
    "duplicate": errors.DuplicateClientOrderId,
}


@pytest.mark.parametrize(
    ("exchange", "why"), [(name, why) for name, answers in REFUSALS.items() for why in answers if why != "clock"]
)
def test_the_exchanges_own_code_decides_what_became_of_an_order(exchange: str, why: str) -> None:
    known = EXCHANGES[exchange]
    venue, transport = opened(exchange, {known.create: REFUSALS[exchange][why]})
    with pytest.raises(VenueError, match=BTC) as raised:
        venue.create(request())
    assert type(raised.value) is MEANT[why], raised.value
    assert len(written(transport, exchange)) == 1


@pytest.mark.parametrize("exchange", [name for name, answers in REFUSALS.items() if "clock" in answers])
def test_after_a_wrong_time_the_clock_is_set_and_the_same_order_sent_again_within_bounds(exchange: str) -> None:
    known = EXCHANGES[exchange]
    venue, transport = opened(exchange, {known.create: REFUSALS[exchange]["clock"]})
    with pytest.raises(errors.ClockSkew):
        venue.create(request())
    sent = written(transport, exchange)
    assert len(sent) == 3
    assert {item.fields[known.field] for item in sent} == {OWN}


@EACH
def test_a_cancel_leaves_once_and_the_order_is_read_again(exchange: str) -> None:
    known = EXCHANGES[exchange]
    path, _ = known.cancel
    look_up = {**known.look_up, path: cancelled(exchange)} if path not in known.look_up else known.look_up
    venue, transport = opened(exchange, look_up)
    order = venue.cancel(BTC, OWN)
    assert (order.client_order_id, order.order_id) == (OWN, "7")
    assert len([sent for sent in transport.sent if sent.path == path and sent.method != "GET"]) == 1


@EACH
def test_a_cancel_of_what_does_not_rest_is_not_found(exchange: str) -> None:
    known = EXCHANGES[exchange]
    path, _ = known.cancel
    method = {"binance": "DELETE", "mexc": "DELETE", "kucoin": "DELETE"}.get(exchange, "POST")
    venue, transport = opened(exchange, {**known.look_up, f"{method} {path}": GONE[exchange]})
    with pytest.raises(OrderNotFound, match=BTC):
        venue.cancel(BTC, OWN)
    assert len([sent for sent in transport.sent if sent.path == path and sent.method == method]) == 1


@EACH
@pytest.mark.parametrize("failure", [Failure(0), Failure(502, "<html>Bad Gateway</html>")])
def test_a_cancel_whose_answer_is_lost_is_unknown_and_sent_once(exchange: str, failure: Failure) -> None:
    known = EXCHANGES[exchange]
    path, _ = known.cancel
    method = {"binance": "DELETE", "mexc": "DELETE", "kucoin": "DELETE"}.get(exchange, "POST")
    venue, transport = opened(exchange, {**known.look_up, f"{method} {path}": failure})
    with pytest.raises(OutcomeUnknown, match=BTC):
        venue.cancel(BTC, OWN)
    assert len([sent for sent in transport.sent if sent.path == path and sent.method == method]) == 1


@EACH
def test_trades_come_with_their_fee_and_a_number_that_grows_with_time(exchange: str) -> None:
    path, answer = TRADES[exchange]
    venue, _ = opened(exchange, {path: answer})
    (trade,) = venue.trades(BTC, "0")
    assert (trade.symbol, trade.order_id, trade.side) == (BTC, "7", Side.BUY)
    assert (trade.price, trade.amount) == (Decimal("100.5"), Decimal("0.2"))
    assert (trade.fee, trade.fee_asset, trade.is_maker) == (Decimal("0.02"), "USDT", True)
    assert trade.at == datetime.fromtimestamp(FILL_MS / 1000, UTC)
    assert trade.trade_id.isdigit()
    # "From this one on" includes it; from a later one on it is gone.
    assert venue.trades(BTC, trade.trade_id) == [trade]
    if exchange != "binance":
        assert venue.trades(BTC, str(int(trade.trade_id) + 1)) == []


@EACH
def test_a_balance_is_free_and_locked_to_the_last_digit(exchange: str) -> None:
    path, answer = BALANCES[exchange]
    venue, _ = opened(exchange, {path: answer})
    reading = venue.account()
    assert reading.balances == {
        "BTC": Balance("BTC", Decimal("0.3"), Decimal("0.2")),
        "USDT": Balance("USDT", Decimal("1000.1"), Decimal(0)),
    }
    assert abs(reading.at - NOW) <= timedelta(seconds=0.5)


OPEN_LISTS = {"binance": "/openOrders", "mexc": "/openOrders", "okx": "/orders-pending", "kucoin": "/api/v1/orders"}


@EACH
def test_open_orders_are_listed_with_our_ids(exchange: str) -> None:
    answers: Any = EXCHANGES[exchange].look_up
    one = next(iter(answers.values()))
    if exchange in OPEN_LISTS:
        listed = [one] if exchange in ("binance", "mexc") else one
        if exchange == "kucoin":
            listed = {"code": "200000", "data": {"items": [one["data"]]}}
        answers = {OPEN_LISTS[exchange]: listed}
    venue, _ = opened(exchange, answers)
    (order,) = venue.open_orders()
    assert (order.client_order_id, order.state) == (OWN, OrderState.PARTIALLY_FILLED)
    assert venue.open_orders(BTC) == [order]


@EACH
def test_one_step_that_cancels_and_sends_is_refused_and_nothing_leaves(exchange: str) -> None:
    venue, transport = opened(exchange, {})
    assert not (venue.capabilities.cancel_replace or venue.capabilities.oco)
    before = len(transport.sent)
    with pytest.raises(CancelReplaceFailed, match="Cancel, confirm, and send"):
        venue.cancel_replace(BTC, OWN, request())
    with pytest.raises(OrderRefused):
        venue.create_pair(request(), request())
    assert len(transport.sent) == before


@EACH
def test_a_symbol_that_is_not_listed_is_named_and_nothing_leaves(exchange: str) -> None:
    venue, transport = opened(exchange, {})
    before = len(transport.sent)
    for ask in (
        lambda: venue.order("NO/USDT", OWN),
        lambda: venue.cancel("NO/USDT", OWN),
        lambda: venue.trades("NO/X"),
    ):
        with pytest.raises(SymbolUnknown, match="NO/"):
            ask()
    assert len(transport.sent) == before


def test_a_full_page_of_open_orders_is_no_list_of_them() -> None:
    one = EXCHANGES["bybit"].look_up["/order/realtime"]["result"]["list"][0]
    page = {"retCode": 0, "result": {"category": "spot", "list": [{**one, "orderId": str(n)} for n in range(50)]}}
    venue, _ = opened("bybit", {"/order/realtime": page})
    with pytest.raises(MalformedAnswer, match="more may be behind it"):
        venue.open_orders()


def test_an_account_that_owes_something_is_no_spot_account() -> None:
    path, answer = BALANCES["bybit"]
    answer["result"]["list"][0]["coin"][0]["borrowAmount"] = "1"
    venue, _ = opened("bybit", {path: answer})
    try:
        with pytest.raises(MalformedAnswer, match="owed"):
            venue.account()
    finally:
        answer["result"]["list"][0]["coin"][0]["borrowAmount"] = "0"
