"""What kind of account a key belongs to, in the words of `preflight.account_kind`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

UNKNOWN = "unknown"


def account_kind_of(exchange: str, client: Any) -> str:
    """spot, margin or unified; "unknown" where the answer does not say. Raises whatever ccxt does."""
    return _ASK.get(exchange, _spot_only)(client)


def _spot_only(_: Any) -> str:
    """Kraken, Coinbase and KuCoin borrow only for an order that asks for it, and none of ours does."""
    return "spot"


def _by_account_type(answer: object) -> str:
    told = answer.get("accountType") if isinstance(answer, Mapping) else None
    return str(told).lower() if told else UNKNOWN


def _binance(client: Any) -> str:
    return _by_account_type(client.private_get_account({"omitZeroBalances": "true"}))


def _mexc(client: Any) -> str:
    return _by_account_type(client.spot_private_get_account({}))


def _bybit(client: Any) -> str:
    answer = client.private_get_v5_user_query_api({})
    result = answer.get("result") if isinstance(answer, Mapping) else None
    told = {str(result.get(name)) for name in ("uta", "unified")} if isinstance(result, Mapping) else set()
    if "1" in told:
        return "unified"
    return "spot" if told == {"0"} else UNKNOWN


def _okx(client: Any) -> str:
    """`acctLv`: 1 is spot only; 2 and above can borrow or hold futures."""
    answer = client.private_get_account_config({})
    rows = answer.get("data") if isinstance(answer, Mapping) else None
    level = rows[0].get("acctLv") if isinstance(rows, list) and rows and isinstance(rows[0], Mapping) else None
    return {"1": "spot", "2": "margin", "3": "unified", "4": "unified"}.get(str(level), UNKNOWN)


_ASK: Mapping[str, Callable[[Any], str]] = {"binance": _binance, "mexc": _mexc, "bybit": _bybit, "okx": _okx}
