"""Turns what a unified client raises into this product's errors, for every exchange of the table.

First what was heard: a request that never left, an answer that never came, a gateway's page. Then the exchange's own
code, by the table below. Last ccxt's class, and only where it says that the exchange has refused: a code that nobody
knows leaves an order's outcome unknown, which costs a look-up and no money.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from trade_pipeline.errors import (
    AuthenticationFailed,
    Banned,
    ClockSkew,
    DuplicateClientOrderId,
    FilterViolation,
    InsufficientFunds,
    MalformedAnswer,
    OrderNotFound,
    OrderRefused,
    OutcomeUnknown,
    RateLimited,
    SymbolUnknown,
    VenueError,
    VenueUnavailable,
)
from trade_pipeline.venues.capabilities import VenueCapabilities
from trade_pipeline.venues.ccxt_clients import retry_after_s
from trade_pipeline.venues.client_ids import UNREADABLE
from trade_pipeline.venues.error_map import (
    BAN_DEFAULT_S,
    RETRY_AFTER_DEFAULT_S,
    Asked,
    clean_copy,
    was_not_sent,
    without_secrets,
)
from trade_pipeline.venues.refusal_codes import CODES, WORDS, Kind
from trade_pipeline.venues.unified_client import Heard

LOCKOUT_S = 900.0
"""Kraken's temporary lockout."""


def unified_error(error: Exception, heard: Heard, asked: Asked, known: VenueCapabilities) -> VenueError:
    """The most specific own error; its cause is a copy of `error` without secrets. Raise it outside of `except`."""
    if isinstance(error, VenueError):
        return error
    kind, value = _kind(error, heard, asked, known)
    what = f"{asked.what} on {known.exchange}"
    if isinstance(kind, _Waiting):
        own: VenueError = kind.kind(f"{what} was answered with: {value}", thing=asked.symbol, retry_after_s=kind.wait_s)
    else:
        repair = "Look it up, do not send it again" if kind is OutcomeUnknown else ""
        own = kind(f"{what}: {value}", thing=asked.symbol, repair=repair)
    own.__cause__ = clean_copy(error)
    return own


class _Waiting:
    """An order of the exchange to be quiet for a while."""

    def __init__(self, kind: type[RateLimited] | type[Banned], wait_s: float) -> None:
        self.kind = kind
        self.wait_s = wait_s


def _kind(error: Exception, heard: Heard, asked: Asked, known: VenueCapabilities) -> tuple[Kind | _Waiting, str]:
    lost: Kind = OutcomeUnknown if asked.may_execute and heard.method != "GET" else VenueUnavailable
    if not heard.method:
        return _before_sending(error), without_secrets(str(error))
    if heard.status is None:
        if was_not_sent(error):
            return VenueUnavailable, "could not connect"
        return lost, "timed out or was cut off"
    return _heard_kind(error, heard, asked, known, lost), without_secrets(heard.body) or f"HTTP {heard.status}"


def _heard_kind(error: Exception, heard: Heard, asked: Asked, known: VenueCapabilities, lost: Kind) -> Kind | _Waiting:
    """Of an answer that came."""
    if heard.status == 418:
        return _Waiting(Banned, _wait_s(heard, BAN_DEFAULT_S))
    if heard.status == 429:
        return _Waiting(RateLimited, _wait_s(heard, RETRY_AFTER_DEFAULT_S))
    if isinstance(error, UNREADABLE):
        return lost if lost is OutcomeUnknown else MalformedAnswer
    spoken = _by_code(heard, known)
    if spoken is None:
        return _by_class(error, heard, lost, asked)
    if spoken is RateLimited:
        return _Waiting(RateLimited, _wait_s(heard, RETRY_AFTER_DEFAULT_S))
    if spoken is Banned:
        return _Waiting(Banned, LOCKOUT_S)
    return lost if isinstance(spoken, str) else spoken


def _before_sending(error: Exception) -> Kind:
    """ccxt itself refused: nothing has left."""
    import ccxt

    if isinstance(error, ccxt.BadSymbol):
        return SymbolUnknown
    if isinstance(error, ccxt.AuthenticationError):
        return AuthenticationFailed
    if isinstance(error, ccxt.InvalidOrder) and "precision" in str(error):
        return FilterViolation
    return OrderRefused


def _by_code(heard: Heard, known: VenueCapabilities) -> Kind | str | None:
    codes = list(_codes_in(heard.body, known.exchange))
    if any(code in known.duplicate_codes for code in codes if known.exchange != "binance"):
        return DuplicateClientOrderId
    table = CODES[known.exchange]
    for code in codes:
        if code in table:
            return table[code]
    text = heard.body.lower()
    return next((kind for words, kind in WORDS.get(known.exchange, ()) if words in text), None)


def _codes_in(body: str, exchange: str) -> Iterator[str]:
    """Every code within an answer, the innermost first: OKX and Coinbase say outside only that something failed."""
    try:
        read = json.loads(body)
    except ValueError:
        return
    if exchange == "kraken":
        errors = read.get("error") if isinstance(read, dict) else None
        yield from (str(code) for code in errors) if isinstance(errors, list) else ()
        return
    yield from _inner_codes(read)


def _inner_codes(read: Any) -> Iterator[str]:
    names = ("sCode", "retCode", "code", "error", "failure_reason", "new_order_failure_reason")
    previews = ("preview_failure_reason", "cancel_failure_reason")
    if isinstance(read, list):
        for item in read:
            yield from _inner_codes(item)
    if isinstance(read, dict):
        for item in read.values():
            if isinstance(item, (dict, list)):
                yield from _inner_codes(item)
        yield from (str(read[name]) for name in (*previews, *names) if isinstance(read.get(name), (str, int)))


def _by_class(error: Exception, heard: Heard, lost: Kind, asked: Asked) -> Kind:
    """What ccxt makes of a code that is not in the table, as far as it can be trusted."""
    import ccxt

    spoken = heard.body.lstrip().startswith(("{", "["))
    if not spoken or (heard.status or 0) >= 500:
        return lost
    kinds: tuple[tuple[type[Exception], Kind], ...] = (
        (ccxt.InsufficientFunds, InsufficientFunds),
        (ccxt.DuplicateOrderId, DuplicateClientOrderId),
        (ccxt.OrderNotFound, OrderNotFound),
        (ccxt.BadSymbol, SymbolUnknown),
        (ccxt.AuthenticationError, AuthenticationFailed),
        (ccxt.RateLimitExceeded, VenueUnavailable),
        (ccxt.InvalidNonce, ClockSkew),
        (ccxt.InvalidOrder, OrderRefused),
        (ccxt.BadRequest, OrderRefused if asked.may_execute else VenueError),
    )
    for foreign, own in kinds:
        if isinstance(error, foreign):
            return own
    return lost if asked.may_execute or isinstance(error, ccxt.NetworkError) else VenueError


def _wait_s(heard: Heard, otherwise_s: float) -> float:
    found = retry_after_s(heard.headers)
    return otherwise_s if found is None else found
