"""Failures are classified by the exchange's code; what may have been executed is never called a failure."""

from __future__ import annotations

import traceback

import ccxt
import pytest

from trade_pipeline import errors
from trade_pipeline.venues.ccxt_clients import refusal_in
from trade_pipeline.venues.error_map import Asked, HttpAnswer, own_error, without_secrets

ORDER = Asked("sending an order", "BTC/USDT", may_execute=True)
READ = Asked("reading the account")

CASES = [
    # status, code, message, as an order, as a read
    (500, -1000, "unknown", errors.OutcomeUnknown, errors.VenueUnavailable),
    (400, -1001, "disconnected", errors.OutcomeUnknown, errors.VenueUnavailable),
    (400, -1006, "unexpected", errors.OutcomeUnknown, errors.VenueUnavailable),
    (504, -1007, "timeout", errors.OutcomeUnknown, errors.VenueUnavailable),
    (503, None, "<html>", errors.OutcomeUnknown, errors.VenueUnavailable),
    (403, None, "<html>", errors.OutcomeUnknown, errors.VenueUnavailable),
    (503, -1008, "overloaded", errors.VenueUnavailable, errors.VenueUnavailable),
    (400, -1021, "timestamp", errors.ClockSkew, errors.ClockSkew),
    (429, -1003, "too many", errors.RateLimited, errors.RateLimited),
    (429, -1015, "too many orders", errors.RateLimited, errors.RateLimited),
    (418, -1003, "banned", errors.Banned, errors.Banned),
    (400, -1013, "Filter failure: LOT_SIZE", errors.FilterViolation, errors.FilterViolation),
    (400, -1111, "precision", errors.FilterViolation, errors.FilterViolation),
    (400, -2010, "Account has insufficient balance for requested action.", errors.InsufficientFunds, None),
    (400, -2010, "Duplicate order sent.", errors.DuplicateClientOrderId, None),
    (400, -2010, "Stop price would trigger immediately.", errors.WouldTriggerImmediately, None),
    (400, -2010, "Order would immediately match and take.", errors.OrderRefused, None),
    (400, -2011, "Unknown order sent.", errors.OrderNotFound, None),
    (400, -2011, "Order was not canceled due to cancel restrictions.", errors.OrderRefused, None),
    (400, -2013, "Order does not exist.", errors.OrderNotFound, errors.OrderNotFound),
    (400, -1121, "Invalid symbol.", errors.SymbolUnknown, errors.SymbolUnknown),
    (400, -1022, "signature", errors.AuthenticationFailed, errors.AuthenticationFailed),
    (401, -2014, "key format", errors.AuthenticationFailed, errors.AuthenticationFailed),
    (401, -2015, "key", errors.AuthenticationFailed, errors.AuthenticationFailed),
    (400, -1102, "mandatory parameter", errors.OrderRefused, errors.VenueError),
]


@pytest.mark.parametrize(("status", "code", "message", "as_order", "as_read"), CASES)
def test_the_exchanges_code_decides(
    status: int,
    code: int | None,
    message: str,
    as_order: type[errors.VenueError],
    as_read: type[errors.VenueError] | None,
) -> None:
    answer = HttpAnswer(status, code, message)
    assert type(own_error(answer, ORDER)) is as_order
    if as_read is not None:
        assert type(own_error(answer, READ)) is as_read


def test_retry_after_reaches_the_caller() -> None:
    refused = refusal_in(429, {"Retry-After": "17"}, "", {"code": "-1003", "msg": "slow down"})
    assert refused is not None
    error = own_error(refused, READ)
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after_s == 17


def test_an_answer_of_200_with_a_negative_code_is_a_refusal() -> None:
    refused = refusal_in(200, {}, "", {"code": -1013, "msg": "Filter failure"})
    assert refused is not None
    assert isinstance(own_error(refused, ORDER), errors.FilterViolation)


@pytest.mark.parametrize(
    "kind", [ccxt.RequestTimeout, ccxt.NetworkError, ccxt.ExchangeNotAvailable, ccxt.ExchangeError]
)
def test_a_lost_answer_to_an_order_is_an_unknown_outcome(kind: type[Exception]) -> None:
    assert type(own_error(kind("binance POST"), ORDER)) is errors.OutcomeUnknown


def test_a_refused_connection_is_certainly_not_executed() -> None:
    error = ccxt.NetworkError("binance POST")
    error.__cause__ = ConnectionRefusedError(111, "refused")
    assert type(own_error(error, ORDER)) is errors.VenueUnavailable


def test_any_other_exception_while_ordering_is_an_unknown_outcome() -> None:
    assert type(own_error(ValueError("surprise"), ORDER)) is errors.OutcomeUnknown


def test_texts_lose_query_strings_signatures_and_keys() -> None:
    text = (
        "GET http://h/api/v3/order?timestamp=1&signature=abcdef and url: /api/v3/order?symbol=A&signature=abcdef) "
        "body symbol=A&signature=abcdef {'X-MBX-APIKEY': 'secretkey'}"
    )
    cleaned = without_secrets(text)
    assert "abcdef" not in cleaned
    assert "secretkey" not in cleaned
    assert "http://h/api/v3/order" in cleaned


def test_the_cause_is_kept_without_the_signed_address() -> None:
    foreign = ccxt.RequestTimeout("binance GET http://h/api/v3/account?timestamp=1&signature=abcdef")
    error = own_error(foreign, READ)
    assert isinstance(error.__cause__, ccxt.RequestTimeout)
    assert "abcdef" not in "".join(traceback.format_exception(error))
