"""What an exchange says of a key: may it withdraw, may it trade, is it bound to addresses.

One endpoint and one reading per exchange. What is missing or unreadable in an answer is None, never a guess: whoever
asks counts an unknown as the worse answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Read = Callable[[Mapping[str, Any]], "KeyPermissions"]


@dataclass(frozen=True, slots=True)
class KeyPermissions:
    """None: not known. `source` names the endpoint that said so."""

    can_withdraw: bool | None
    can_trade: bool | None
    ip_restricted: bool | None
    source: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`method` is ccxt's implicit one; `read` takes its raw answer."""

    method: str
    read: Read


def unknown(source: str) -> KeyPermissions:
    """Nothing is known: the exchange has no such endpoint, or its answer is unreadable."""
    return KeyPermissions(None, None, None, source)


def ask_permissions(exchange: str, ask: Callable[[str], object]) -> KeyPermissions:
    """`ask` calls an implicit method of ccxt's client and may raise; an exchange without an endpoint is not asked."""
    endpoint = ENDPOINTS.get(exchange)
    if endpoint is None:
        return unknown(f"{exchange} has no endpoint for it")
    answer = ask(endpoint.method)
    return endpoint.read(answer) if isinstance(answer, Mapping) else unknown(endpoint.method)


def read_binance(answer: Mapping[str, Any]) -> KeyPermissions:
    """GET /sapi/v1/account/apiRestrictions. Internal transfers to other accounts count as withdrawals."""
    ways = [answer.get("enableWithdrawals"), answer.get("enableInternalTransfer", False)]
    return KeyPermissions(
        _any(ways), _flag(answer.get("enableSpotAndMarginTrading")), _flag(answer.get("ipRestrict")), "apiRestrictions"
    )


def read_kraken(answer: Mapping[str, Any]) -> KeyPermissions:
    """POST /0/private/GetApiKeyInfo: a list of permissions."""
    result = _inner(answer, "result")
    names = _names(result.get("permissions"))
    return KeyPermissions(
        _within(names, "withdraw-funds"),
        _within(names, "modify-trades"),
        _listed(result, "ipAllowlist"),
        "GetApiKeyInfo",
    )


def read_bybit(answer: Mapping[str, Any]) -> KeyPermissions:
    """GET /v5/user/query-api: lists by area; a read-only key can do nothing. Address "*" is no restriction."""
    result = _inner(answer, "result")
    permissions = _inner(result, "permissions")
    read_only = str(result.get("readOnly")) == "1"
    withdraws, trades = (
        _within(_names(permissions.get("Wallet")), "withdraw"),
        _within(_names(permissions.get("Spot")), "spottrade"),
    )
    addresses = _names(result.get("ips"))
    return KeyPermissions(
        False if read_only else withdraws,
        False if read_only else trades,
        None if addresses is None else bool(addresses - {"*"}),
        "query-api",
    )


def read_okx(answer: Mapping[str, Any]) -> KeyPermissions:
    """GET /api/v5/account/config: `perm` is a list in one string."""
    rows = answer.get("data")
    row: Mapping[str, Any] = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], Mapping) else {}
    names = _names(row.get("perm"))
    return KeyPermissions(_within(names, "withdraw"), _within(names, "trade"), _listed(row, "ip"), "account/config")


def read_coinbase(answer: Mapping[str, Any]) -> KeyPermissions:
    """GET /api/v3/brokerage/key_permissions. A transfer can leave the account."""
    return KeyPermissions(_flag(answer.get("can_transfer")), _flag(answer.get("can_trade")), None, "key_permissions")


def read_kucoin(answer: Mapping[str, Any]) -> KeyPermissions:
    """GET /api/v1/user/api-key: `permission` is a list in one string. Transfer has meant withdrawal there."""
    data = _inner(answer, "data")
    names = _names(data.get("permission"))
    withdraws = None if names is None else any("withdraw" in name or name == "transfer" for name in names)
    return KeyPermissions(withdraws, _within(names, "spot"), _listed(data, "ipWhitelist"), "user/api-key")


ENDPOINTS: Mapping[str, Endpoint] = {
    "binance": Endpoint("sapi_get_account_apirestrictions", read_binance),
    "kraken": Endpoint("private_post_getapikeyinfo", read_kraken),
    "bybit": Endpoint("private_get_v5_user_query_api", read_bybit),
    "okx": Endpoint("private_get_account_config", read_okx),
    "coinbase": Endpoint("v3_private_get_brokerage_key_permissions", read_coinbase),
    "kucoin": Endpoint("private_get_user_api_key", read_kucoin),
}
"""mexc says nothing of a key's permissions: there it is never known."""


def _inner(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = answer.get(name)
    return found if isinstance(found, Mapping) else {}


def _flag(value: object) -> bool | None:
    """Exchanges write booleans as such or as text."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).lower())


def _any(values: list[object]) -> bool | None:
    """True if one is; False only if all are known to be."""
    flags = [_flag(value) for value in values]
    if True in flags:
        return True
    return None if None in flags else False


def _names(value: object) -> frozenset[str] | None:
    """Lower-case names of a list or of a string with commas; None for anything else."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return frozenset(item.strip().lower() for item in value if item.strip())


def _within(names: frozenset[str] | None, name: str) -> bool | None:
    return None if names is None else name in names


def _listed(answer: Mapping[str, Any], name: str) -> bool | None:
    """Whether a list of addresses is there and not empty; None where the answer does not speak of it."""
    names = _names(answer.get(name))
    return None if names is None else bool(names)
