"""Each line of the table of exchanges, held against ccxt's own classes: what leaves, and what is read. No network."""

from __future__ import annotations

from decimal import Decimal

import ccxt
import pytest

from trade_pipeline.errors import OrderNotFound, OrderRefused, SettingsError
from trade_pipeline.schemas.trading import OrderRequest, OrderType, Side, TimeInForce
from trade_pipeline.venues.capabilities import CAPABILITIES, capabilities_of
from trade_pipeline.venues.client_ids import cancel, codes_in, create_arguments, find
from trade_pipeline_tests.venues.dialects import BTC, EXCHANGES, OWN, SINCE_MS, cancelled, request
from trade_pipeline_tests.venues.recorded_transport import NAMES, Failure, recorded


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_order_leaves_with_our_id_in_the_exchanges_own_field(exchange: str) -> None:
    known, line = EXCHANGES[exchange], capabilities_of(exchange)
    client, transport = recorded(exchange, {known.create: known.accepted})
    client.create_order(*create_arguments(line, request(time_in_force=TimeInForce.GTC)))
    (sent,) = transport.sent
    assert (sent.method, sent.path, sent.fields[known.field]) == ("POST", known.create, OWN)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_market_order_leaves_with_an_amount_of_base_and_no_price(exchange: str) -> None:
    known, line = EXCHANGES[exchange], capabilities_of(exchange)
    client, transport = recorded(exchange, {known.create: known.accepted})
    client.create_order(*create_arguments(line, request(OrderType.MARKET, side=Side.SELL)))
    fields = transport.sent[0].fields
    fields = fields.get("order_configuration", {}).get("market_market_ioc", fields)
    assert not {"price", "px", "funds", "quoteOrderQty", "quote_size"} & set(fields)
    amount = next(fields[name] for name in ("quantity", "volume", "qty", "sz", "size", "base_size") if name in fields)
    assert Decimal(amount) == Decimal("0.5")


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_order_is_found_by_our_id_with_its_partial_fill_exact(exchange: str) -> None:
    known = EXCHANGES[exchange]
    client, transport = recorded(exchange, known.look_up)
    found = find(client, capabilities_of(exchange), BTC, OWN, SINCE_MS)
    assert (found["id"], found["status"], found["side"]) == ("7", "open", "buy")
    assert (Decimal(found["filled"]), Decimal(found["amount"])) == (Decimal("0.2"), Decimal("0.5"))
    assert [sent.method for sent in transport.sent] == ["POST" if exchange == "kraken" else "GET"]


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_order_counts_as_not_found_after_every_look_up(exchange: str) -> None:
    known, line = EXCHANGES[exchange], capabilities_of(exchange)
    client, transport = recorded(exchange, known.empty)
    with pytest.raises(OrderNotFound, match="BTC/USDT"):
        find(client, line, BTC, OWN, SINCE_MS)
    assert len(transport.sent) == len(line.look_ups)
    for sent, look_up in zip(transport.sent, line.look_ups, strict=True):
        assert look_up.parameter is None or OWN in {*sent.fields.values(), sent.path.rsplit("/", 1)[-1]}


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("failure", [Failure(0), Failure(502, "<html>Bad Gateway</html>"), Failure(403, "denied")])
def test_a_failed_look_up_never_counts_as_not_found(exchange: str, failure: Failure) -> None:
    client, _ = recorded(exchange, dict.fromkeys(EXCHANGES[exchange].empty, failure))
    with pytest.raises(ccxt.BaseError) as raised:
        find(client, capabilities_of(exchange), BTC, OWN, SINCE_MS)
    assert not isinstance(raised.value, ccxt.OrderNotFound)


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("failure", [Failure(0), Failure(502, "<html>Bad Gateway</html>"), Failure(403, "denied")])
def test_a_failed_order_is_sent_once_by_ccxt(exchange: str, failure: Failure) -> None:
    known = EXCHANGES[exchange]
    client, transport = recorded(exchange, {known.create: failure})
    with pytest.raises(ccxt.BaseError):
        client.create_order(*create_arguments(capabilities_of(exchange), request()))
    assert len(transport.sent) == 1


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_cancel_leaves_with_our_id_or_with_the_exchanges_after_a_look_up(exchange: str) -> None:
    known, line = EXCHANGES[exchange], capabilities_of(exchange)
    path, field = known.cancel
    answers = {path: cancelled(exchange)} if line.cancel_parameter else {**known.look_up, path: cancelled(exchange)}
    client, transport = recorded(exchange, answers)
    cancel(client, line, BTC, OWN, SINCE_MS)
    sent = transport.sent[-1]
    assert sent.path == path
    if line.cancel_parameter is None:
        assert sent.fields["order_ids"] == ["7"]
    elif field:
        assert sent.fields[field] == OWN


STOPS = {
    "binance": ("/api/v3/order", {"type": "STOP_LOSS", "stopPrice": "90", "newClientOrderId": OWN}),
    "kraken": ("/0/private/AddOrder", {"ordertype": "stop-loss", "price": "90", "cl_ord_id": OWN}),
}


@pytest.mark.parametrize("exchange", STOPS)
def test_a_plain_stop_leaves_with_its_trigger(exchange: str) -> None:
    path, fields = STOPS[exchange]
    line = capabilities_of(exchange)
    client, transport = recorded(exchange, {path: EXCHANGES[exchange].accepted})
    client.create_order(*create_arguments(line, request(OrderType.STOP_LOSS, side=Side.SELL, stop_price=Decimal(90))))
    (sent,) = transport.sent
    assert line.plain_stop
    assert sent.path == path
    assert {name: sent.fields.get(name) for name in fields} == fields


@pytest.mark.parametrize("exchange", ["bybit", "okx", "kucoin", "mexc"])
@pytest.mark.parametrize("kind", [OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT])
def test_a_stop_that_would_not_protect_is_refused_with_its_reason(exchange: str, kind: OrderType) -> None:
    line = capabilities_of(exchange)
    with pytest.raises(OrderRefused, match="rests no such stop") as raised:
        create_arguments(line, request(kind, side=Side.SELL, stop_price=Decimal(90)))
    assert (line.rests_stops, line.stop_types) == (False, frozenset())
    assert line.stop_refused in raised.value.message
    assert "guard" in raised.value.repair


@pytest.mark.parametrize(
    ("exchange", "wrong"),
    [
        ("coinbase", request(OrderType.MARKET)),
        ("coinbase", request(time_in_force=TimeInForce.FOK)),
        ("kraken", request(time_in_force=TimeInForce.FOK)),
        ("kraken", request(OrderType.MARKET, side=Side.SELL, price=Decimal(1))),
        ("kraken", request(price=None)),
        ("kraken", request(stop_price=Decimal(1))),
        ("binance", request(OrderType.TAKE_PROFIT, side=Side.SELL, stop_price=Decimal(1))),
    ],
)
def test_what_an_exchange_cannot_do_is_refused_before_anything_is_sent(exchange: str, wrong: OrderRequest) -> None:
    with pytest.raises(OrderRefused, match=BTC):
        create_arguments(capabilities_of(exchange), wrong)


def test_a_stop_on_coinbase_has_a_limit_and_triggers_on_the_way_down() -> None:
    line = capabilities_of("coinbase")
    client, transport = recorded("coinbase", {"/orders": EXCHANGES["coinbase"].accepted})
    stop = request(OrderType.STOP_LOSS_LIMIT, side=Side.SELL, stop_price=Decimal(102))
    client.create_order(*create_arguments(line, stop))
    written = transport.sent[0].fields["order_configuration"]["stop_limit_stop_limit_gtc"]
    assert (written["stop_price"], written["stop_direction"]) == ("102", "STOP_DIRECTION_STOP_DOWN")


DUPLICATES = {
    "binance": Failure(400, '{"code":-2010,"msg":"Duplicate order sent."}'),
    "bybit": {"retCode": 170141, "retMsg": "Duplicate clientOrderId.", "result": {}},
    "okx": {"code": "1", "data": [{"clOrdId": OWN, "sCode": "51016", "sMsg": "Client order ID already exists."}]},
    "kucoin": {"code": "126044", "msg": "clientOid duplicate"},
}


@pytest.mark.parametrize("exchange", DUPLICATES)
def test_ccxt_has_no_class_for_a_duplicate_id_but_the_code_is_in_the_text(exchange: str) -> None:
    known, line = EXCHANGES[exchange], capabilities_of(exchange)
    client, _ = recorded(exchange, {known.create: DUPLICATES[exchange]})
    with pytest.raises(ccxt.ExchangeError) as raised:
        client.create_order(*create_arguments(line, request()))
    assert not isinstance(raised.value, ccxt.DuplicateOrderId)
    assert codes_in(str(raised.value)) & line.duplicate_codes


@pytest.mark.parametrize("exchange", ["binance", "mexc"])
def test_a_bound_is_signed_into_therequest(exchange: str) -> None:
    known, line = EXCHANGES[exchange], capabilities_of(exchange)
    client, transport = recorded(exchange, {known.create: known.accepted})
    client.create_order(*create_arguments(line, request()))
    assert int(transport.sent[0].fields["recvWindow"]) == 1000 * (line.acceptance_bound_s or 0)
    assert "timestamp" in transport.sent[0].fields


def test_bybits_bound_travels_in_a_header() -> None:
    client, transport = recorded("bybit", {"/order/create": EXCHANGES["bybit"].accepted})
    client.create_order(*create_arguments(capabilities_of("bybit"), request()))
    assert transport.sent[0].headers["X-BAPI-RECV-WINDOW"] == "5000"


def test_without_a_bound_a_lost_order_is_waited_for_ten_minutes() -> None:
    waits = {name: line.acceptance_wait_s for name, line in CAPABILITIES.items()}
    assert {name for name, wait_s in waits.items() if wait_s >= 600} == {"okx", "coinbase", "kucoin"}
    assert waits["binance"] < 10


def test_the_exchange_says_itself_whether_a_lost_order_can_be_told_absent_soon() -> None:
    bounded = {name for name, line in CAPABILITIES.items() if line.acceptance_bounded}
    assert bounded == {"binance", "kraken", "bybit", "mexc"}


def test_every_exchange_of_the_table_is_tested_and_another_is_refused() -> None:
    assert set(CAPABILITIES) == set(EXCHANGES) == set(NAMES)
    with pytest.raises(SettingsError, match="nothing is known"):
        capabilities_of("bitstamp")
