"""What an exchange's code means: held against ccxt's own lists, and against every kind of broken answer."""

from __future__ import annotations

import traceback
from typing import Any

import ccxt
import pytest

from trade_pipeline import errors
from trade_pipeline.venues.capabilities import CAPABILITIES
from trade_pipeline.venues.error_map import Asked
from trade_pipeline.venues.refusal_codes import CODES, LOST
from trade_pipeline.venues.unified_client import Heard
from trade_pipeline.venues.unified_errors import unified_error

ORDER = Asked("sending an order", "BTC/USDT", may_execute=True)
READ = Asked("reading the account")

SAME = {
    errors.InsufficientFunds: ccxt.InsufficientFunds,
    errors.OrderNotFound: ccxt.OrderNotFound,
    errors.SymbolUnknown: ccxt.BadSymbol,
    errors.AuthenticationFailed: ccxt.AuthenticationError,
    errors.ClockSkew: ccxt.InvalidNonce,
    errors.RateLimited: ccxt.NetworkError,
    errors.FilterViolation: ccxt.InvalidOrder,
}
OTHERWISE = {
    # The exchange's documents say more than ccxt's class.
    ("binance", "-1013"), ("binance", "-1111"), ("binance", "-2026"), ("kraken", "EOrder:Unknown order"),
    ("coinbase", "not_found"),
    ("bybit", "170005"), ("bybit", "170130"), ("bybit", "170121"), ("bybit", "170139"), ("bybit", "170142"),
    ("bybit", "170143"),
    ("okx", "50112"), ("okx", "50061"), ("okx", "51410"),
    ("mexc", "-2011"), ("mexc", "10072"), ("mexc", "30005"), ("mexc", "30014"),
}  # fmt: skip


@pytest.mark.parametrize("exchange", CODES)
def test_a_code_that_ccxt_knows_means_the_same_to_it_or_stands_in_the_list_of_exceptions(exchange: str) -> None:
    known = getattr(ccxt, exchange)().exceptions
    theirs = {**known.get("exact", {}), **known.get("spot", {}).get("exact", {})}
    differing = set()
    for code, kind in CODES[exchange].items():
        wanted = next((foreign for ours, foreign in SAME.items() if ours is kind), None)
        if code in theirs and wanted is not None and not issubclass(theirs[code], wanted):
            differing.add((exchange, code))
    assert differing == {item for item in OTHERWISE if item[0] == exchange}


@pytest.mark.parametrize(("exchange", "code"), [(name, code) for name, codes in CODES.items() for code in codes])
def test_each_code_decides_for_an_order_whatever_class_ccxt_has_for_it(exchange: str, code: str) -> None:
    body = f'{{"error":["{code}"]}}' if exchange == "kraken" else f'{{"code":"{code}","msg":"said"}}'
    heard = Heard("POST", 200, {}, body)
    meant = CODES[exchange][code]
    for foreign in (ccxt.ExchangeError("x"), ccxt.InvalidOrder("x"), ccxt.NetworkError("x")):
        found = unified_error(foreign, heard, ORDER, CAPABILITIES[exchange])
        assert type(found) is (errors.OutcomeUnknown if meant == LOST else meant)


@pytest.mark.parametrize("exchange", CODES)
@pytest.mark.parametrize(
    ("heard", "as_order", "as_read"),
    [
        (Heard(), errors.OrderRefused, errors.OrderRefused),
        (Heard("POST"), errors.OutcomeUnknown, errors.VenueUnavailable),
        (Heard("GET"), errors.VenueUnavailable, errors.VenueUnavailable),
        (Heard("POST", 502, {}, "<html>"), errors.OutcomeUnknown, errors.VenueUnavailable),
        (Heard("POST", 403, {}, "denied"), errors.OutcomeUnknown, None),
        (Heard("POST", 500, {}, '{"code":"12345678"}'), errors.OutcomeUnknown, errors.VenueUnavailable),
        (Heard("POST", 429, {"Retry-After": "7"}, ""), errors.RateLimited, errors.RateLimited),
        (Heard("POST", 418, {}, ""), errors.Banned, errors.Banned),
    ],
)
def test_what_was_heard_decides_first(
    exchange: str, heard: Heard, as_order: type[Exception], as_read: type[Exception] | None
) -> None:
    known, foreign = CAPABILITIES[exchange], ccxt.ExchangeNotAvailable("x")
    assert type(unified_error(foreign, heard, ORDER, known)) is as_order
    if as_read is not None:
        assert type(unified_error(foreign, heard, READ, known)) is as_read


def test_the_wait_that_the_exchange_asks_for_reaches_the_caller() -> None:
    found = unified_error(
        ccxt.RateLimitExceeded("x"), Heard("GET", 429, {"retry-after": "7"}), READ, CAPABILITIES["okx"]
    )
    assert isinstance(found, errors.RateLimited)
    assert found.retry_after_s == 7


def test_a_connection_that_was_never_made_executed_nothing() -> None:
    foreign = ccxt.NetworkError("x")
    foreign.__cause__ = ConnectionRefusedError(111, "refused")
    assert type(unified_error(foreign, Heard("POST"), ORDER, CAPABILITIES["kraken"])) is errors.VenueUnavailable


def test_no_signed_address_is_in_an_error() -> None:
    foreign = ccxt.RequestTimeout("kraken POST https://h/0/private/AddOrder?nonce=1&signature=abcdef")
    try:
        raise unified_error(foreign, Heard("POST"), ORDER, CAPABILITIES["kraken"])
    except errors.VenueError as error:
        text = "".join(traceback.format_exception(error))
    assert "abcdef" not in text


def test_an_unreadable_answer_to_a_read_is_malformed_and_to_an_order_unknown() -> None:
    heard: Any = Heard("POST", 200, {}, '{"result": 7}')
    known = CAPABILITIES["kraken"]
    assert type(unified_error(TypeError("x"), heard, READ, known)) is errors.MalformedAnswer
    assert type(unified_error(TypeError("x"), heard, ORDER, known)) is errors.OutcomeUnknown
