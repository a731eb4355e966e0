"""What each exchange says of a key, asked through ccxt's own classes over a recorded transport: no network."""

from __future__ import annotations

import json
from typing import Any

import ccxt
import pytest

from trade_pipeline.venues.permissions import ENDPOINTS, KeyPermissions, ask_permissions
from trade_pipeline_tests.exchange.servers import KEY, SECRET, running_server

BINANCE = {"ipRestrict": True, "enableWithdrawals": False, "enableSpotAndMarginTrading": True}
KRAKEN = {"error": [], "result": {"permissions": ["query-funds", "modify-trades"], "ipAllowlist": ["1.2.3.4"]}}
BYBIT: dict[str, Any] = {
    "retCode": 0,
    "result": {
        "readOnly": 0,
        "permissions": {"Wallet": ["AccountTransfer"], "Spot": ["SpotTrade"]},
        "ips": ["1.2.3.4"],
    },
}
OKX = {"code": "0", "data": [{"perm": "read_only,trade", "ip": "1.2.3.4"}]}
COINBASE = {"can_view": True, "can_trade": True, "can_transfer": False}
KUCOIN = {"code": "200000", "data": {"permission": "General,Spot,InnerTransfer", "ipWhitelist": "1.2.3.4"}}

GOOD = [
    ("binance", BINANCE, "/sapi/v1/account/apiRestrictions"),
    ("kraken", KRAKEN, "/0/private/GetApiKeyInfo"),
    ("bybit", BYBIT, "/v5/user/query-api"),
    ("okx", OKX, "/api/v5/account/config"),
    ("coinbase", COINBASE, "/api/v3/brokerage/key_permissions"),
    ("kucoin", KUCOIN, "/api/v1/user/api-key"),
]
WITHDRAWS = [
    ("binance", {**BINANCE, "enableWithdrawals": True}),
    ("binance", {**BINANCE, "enableInternalTransfer": "true"}),
    ("kraken", {"error": [], "result": {"permissions": ["withdraw-funds"], "ipAllowlist": []}}),
    ("bybit", {"retCode": 0, "result": {"readOnly": 0, "permissions": {"Wallet": ["Withdraw"]}, "ips": ["*"]}}),
    ("okx", {"code": "0", "data": [{"perm": "read_only,withdraw,trade", "ip": ""}]}),
    ("coinbase", {**COINBASE, "can_transfer": True}),
    ("kucoin", {"code": "200000", "data": {"permission": "General,Transfer", "ipWhitelist": ""}}),
    ("kucoin", {"code": "200000", "data": {"permission": "General,Withdrawal"}}),
]


def _asked(exchange: str, answer: object) -> tuple[KeyPermissions, str]:
    """What is made of the answer, and the address that ccxt asked for it."""
    client: Any = getattr(ccxt, exchange)(
        {"apiKey": "k", "secret": "c2VjcmV0c2VjcmV0c2VjcmV0", "password": "p", "enableRateLimit": False}
    )
    addresses: list[str] = []

    def recorded(url: str, *_: object, **__: object) -> object:
        addresses.append(url)
        return json.loads(json.dumps(answer))

    client.fetch = recorded
    found = ask_permissions(exchange, lambda method: getattr(client, method)({}))
    return found, addresses[0]


@pytest.mark.parametrize(("exchange", "answer", "path"), GOOD, ids=[item[0] for item in GOOD])
def test_a_key_that_only_trades_is_known_as_one(exchange: str, answer: object, path: str) -> None:
    found, address = _asked(exchange, answer)
    assert path in address
    assert found.can_withdraw is False
    assert found.can_trade is True
    assert found.ip_restricted is (None if exchange == "coinbase" else True)
    assert found.source in path


@pytest.mark.parametrize(("exchange", "answer"), WITHDRAWS)
def test_a_key_that_can_withdraw_is_known_as_one(exchange: str, answer: object) -> None:
    assert ENDPOINTS[exchange].read(answer).can_withdraw is True  # type: ignore[arg-type]  # every answer is a mapping


@pytest.mark.parametrize("exchange", sorted(ENDPOINTS))
@pytest.mark.parametrize(
    "answer",
    [{}, {"result": None, "data": None}, {"result": {"permissions": 7}}, {"data": [None]}, {"enableWithdrawals": "?"}],
)
def test_what_an_answer_does_not_say_is_not_known(exchange: str, answer: dict[str, Any]) -> None:
    assert ENDPOINTS[exchange].read(answer).can_withdraw is None


def test_a_read_only_key_can_do_nothing() -> None:
    answer = {"result": {**BYBIT["result"], "readOnly": 1}}
    assert ENDPOINTS["bybit"].read(answer).can_trade is False


def test_an_exchange_without_an_endpoint_is_not_asked_and_a_list_is_no_answer() -> None:
    def never(_: str) -> object:
        raise AssertionError("asked")

    assert ask_permissions("mexc", never).can_withdraw is None
    assert ask_permissions("binance", lambda _: []).can_withdraw is None


@pytest.mark.parametrize(("more", "withdraws"), [({}, False), ({"enableWithdrawals": True}, True)])
def test_the_simulated_exchange_is_asked_as_the_real_one(more: dict[str, bool], withdraws: bool) -> None:
    from trade_pipeline.venues.binance_trading import BinanceTrading

    with running_server() as server:
        server.context.key_permissions.update(more)
        venue = BinanceTrading(server.url, KEY, SECRET)
        try:
            assert venue.permissions().can_withdraw is withdraws
            assert venue.account_kind() == "spot"
        finally:
            venue.close()
