"""Turns what ccxt and its transports raise into this product's errors.

The exchange's own code decides, not ccxt's class: ccxt files -1000 and -1006 outside its network errors although
the order may live, and 429 and -1021 inside them although nothing was executed. Texts lose query strings and
signatures here, because a signed address can be replayed while its window lasts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from trade_pipeline.errors import (
    AuthenticationFailed,
    Banned,
    CancelReplaceFailed,
    ClockSkew,
    DuplicateClientOrderId,
    FilterViolation,
    InsufficientFunds,
    OrderNotFound,
    OrderRefused,
    OutcomeUnknown,
    RateLimited,
    SymbolUnknown,
    VenueError,
    VenueUnavailable,
    WouldTriggerImmediately,
)

RETRY_AFTER_DEFAULT_S = 1.0
BAN_DEFAULT_S = 120.0
"""Binance's shortest ban, for a 418 that does not say how long."""

_TEXT_LENGTH_MAX = 300
_QUERY = re.compile(r"\?[\w%]+=[^\s'\")]*")
_SIGNATURE = re.compile(r"(signature=|X-MBX-APIKEY['\"]?\s*[:=]\s*['\"]?)[\w%+/=-]+", re.IGNORECASE)

_EXECUTION_UNKNOWN = frozenset({-1000, -1001, -1004, -1006, -1007})
_SLOW_DOWN = frozenset({-1003, -1015})
_NOT_EXECUTED = frozenset({-1008, -1016, -1034})
_AUTHENTICATION = frozenset({-1002, -1022, -2014, -2015})
_OFF_THE_GRID = frozenset({-1013, -1111})


@dataclass(frozen=True)
class Asked:
    """What was asked, for messages, and whether a lost answer could hide an executed request.

    `orders`: how many the exchange's window of orders counts. `increases`: whether they increase exposure.
    """

    what: str
    symbol: str = ""
    may_execute: bool = False
    orders: int = 0
    increases: bool = False


class HttpAnswer(Exception):
    """An answer of the exchange that is no success. Holds no address, so no signature either."""

    def __init__(self, status: int, code: int | None, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"HTTP {status}, code {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s


def without_secrets(text: str) -> str:
    """`text` without query strings, signatures and keys, cut to a readable length."""
    return _SIGNATURE.sub(r"\1***", _QUERY.sub("", text))[:_TEXT_LENGTH_MAX]


def own_error(error: Exception, asked: Asked) -> VenueError:
    """The most specific own error for `error`; its cause is a copy of `error` without secrets.

    Raise the result outside of the `except` block: a context would keep the original, and its text holds the
    signed address.
    """
    if isinstance(error, VenueError):
        return error
    own = _from_http(error, asked) if isinstance(error, HttpAnswer) else _from_transport(error, asked)
    own.__cause__ = clean_copy(error)
    return own


def _from_http(answer: HttpAnswer, asked: Asked) -> VenueError:
    message = f"{asked.what} was answered with: {answer.message}"
    value = answer.status if answer.code is None else f"{answer.status}, code {answer.code}"
    if answer.status == 418:
        return Banned(
            message,
            thing=asked.symbol,
            value=value,
            repair="Ask nothing until the ban has passed",
            retry_after_s=BAN_DEFAULT_S if answer.retry_after_s is None else answer.retry_after_s,
        )
    if answer.status == 429 or answer.code in _SLOW_DOWN:
        wait_s = RETRY_AFTER_DEFAULT_S if answer.retry_after_s is None else answer.retry_after_s
        return RateLimited(message, thing=asked.symbol, value=value, retry_after_s=wait_s)
    return _class_of(answer, asked)(message, thing=asked.symbol, value=value)


def _class_of(answer: HttpAnswer, asked: Asked) -> Callable[..., VenueError]:
    code, lost = answer.code, OutcomeUnknown if asked.may_execute else VenueUnavailable
    known: dict[int, Callable[..., VenueError]] = {
        -1021: ClockSkew,
        -1121: SymbolUnknown,
        -2010: _refusal_class(answer.message),
        -2011: _cancel_refusal_class(answer.message),
        -2013: OrderNotFound,
        -2021: lost,  # cancelled, and nothing readable is said of the new order
        -2022: CancelReplaceFailed,
        -2026: OrderNotFound,
        **dict.fromkeys(_EXECUTION_UNKNOWN, lost),
        **dict.fromkeys(_NOT_EXECUTED, VenueUnavailable),
        **dict.fromkeys(_AUTHENTICATION, AuthenticationFailed),
        **dict.fromkeys(_OFF_THE_GRID, FilterViolation),
    }
    if code in known:
        return known[code]
    if answer.status >= 500 or code is None:
        # A gateway's page instead of the exchange's JSON: nobody said that the request was refused.
        return lost
    return OrderRefused if asked.may_execute else VenueError


def _refusal_class(message: str) -> Callable[..., VenueError]:
    text = message.lower()
    if "insufficient balance" in text:
        return InsufficientFunds
    if "duplicate order" in text:
        return DuplicateClientOrderId
    if "trigger immediately" in text:
        return WouldTriggerImmediately
    return OrderRefused


def _cancel_refusal_class(message: str) -> Callable[..., VenueError]:
    # -2011 is every refused cancel; only this wording says that there is no such open order.
    return OrderRefused if "cancel restrictions" in message.lower() else OrderNotFound


def _from_transport(error: Exception, asked: Asked) -> VenueError:
    import ccxt

    thing = asked.symbol
    if was_not_sent(error):
        return VenueUnavailable(
            f"{asked.what} could not connect", thing=thing, repair="Check that the exchange runs and is reachable"
        )
    if isinstance(error, ccxt.AuthenticationError):
        return AuthenticationFailed(
            f"{asked.what} needs a key and a secret", thing=thing, repair="Set the exchange's API key and secret"
        )
    if isinstance(error, (ccxt.ArgumentsRequired, ccxt.BadSymbol, ccxt.NotSupported)):
        return OrderRefused(f"{asked.what}: {without_secrets(str(error))}", thing=thing)
    how = "timed out" if isinstance(error, (ccxt.RequestTimeout, TimeoutError)) else "was cut off"
    if asked.may_execute:
        return OutcomeUnknown(
            f"{asked.what} {how}; it may have been executed", thing=thing, repair="Look it up, do not send it again"
        )
    if isinstance(error, (ccxt.NetworkError, OSError)):
        return VenueUnavailable(f"{asked.what} {how}", thing=thing)
    return VenueError(f"{asked.what} failed: {type(error).__name__} {without_secrets(str(error))}", thing=thing)


def was_not_sent(error: Exception) -> bool:
    """Whether the connection was never made, so that the exchange cannot have seen the request."""
    import socket

    import aiohttp
    import requests
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    never_connected = (
        ConnectionRefusedError,
        socket.gaierror,
        aiohttp.ClientConnectorError,
        aiohttp.ConnectionTimeoutError,
        requests.ConnectTimeout,
        ConnectTimeoutError,
        NewConnectionError,
    )
    return any(isinstance(link, never_connected) for link in _links(error))


def _links(error: BaseException) -> Iterator[BaseException]:
    """`error` and what led to it; requests hides urllib3's reason in its first argument."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        link = waiting.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        inner = (link.__cause__, link.__context__, getattr(link, "reason", None), *link.args[:1])
        waiting.extend(item for item in inner if isinstance(item, BaseException))


def clean_copy(error: Exception) -> Exception:
    import ccxt

    if isinstance(error, HttpAnswer):
        return HttpAnswer(error.status, error.code, error.message, error.retry_after_s)
    text = without_secrets(str(error))
    if isinstance(error, ccxt.BaseError):
        copy: Exception = type(error)(text)
        return copy
    return RuntimeError(f"{type(error).__name__}: {text}")
