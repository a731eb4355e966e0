"""What the exchange says when it refuses: Binance's codes and messages, one constructor each.

Messages are those of the exchange's public error list; ccxt and our venue classify by them, so they are kept to
the letter.
"""

from __future__ import annotations


class Rejected(Exception):
    """A request that the exchange refused. `code` and `text` go into the answer as they are."""

    def __init__(self, code: int, text: str, *, status: int = 400, data: dict[str, object] | None = None) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text
        self.status = status
        self.data = data


def filter_failure(name: str) -> Rejected:
    return Rejected(-1013, f"Filter failure: {name}")


def new_order_rejected(text: str) -> Rejected:
    return Rejected(-2010, text)


def insufficient_balance() -> Rejected:
    return new_order_rejected("Account has insufficient balance for requested action.")


def duplicate_order() -> Rejected:
    return new_order_rejected("Duplicate order sent.")


def would_trigger() -> Rejected:
    return new_order_rejected("Stop price would trigger immediately.")


def would_match() -> Rejected:
    return new_order_rejected("Order would immediately match and take.")


def market_closed() -> Rejected:
    return new_order_rejected("Market is closed.")


def wrong_price_relation() -> Rejected:
    return new_order_rejected("The relationship of the prices for the orders is not correct.")


def unknown_order() -> Rejected:
    """The answer to a cancel of an order that is not open."""
    return Rejected(-2011, "Unknown order sent.")


def cancel_restricted() -> Rejected:
    """The answer to a cancel that was asked for in another state than the order is in."""
    return Rejected(-2011, "Order was not canceled due to cancel restrictions.")


def no_such_order() -> Rejected:
    """The answer to a look-up of an order that does not exist."""
    return Rejected(-2013, "Order does not exist.")


def invalid_symbol() -> Rejected:
    return Rejected(-1121, "Invalid symbol.")


def missing(name: str) -> Rejected:
    return Rejected(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def not_required(name: str) -> Rejected:
    return Rejected(-1106, f"Parameter '{name}' sent when not required.")


def illegal(name: str, allowed: str) -> Rejected:
    return Rejected(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{allowed}'.")


def too_precise(name: str) -> Rejected:
    return Rejected(-1111, f"Parameter '{name}' has too much precision.")


def overloaded() -> Rejected:
    """Nothing was done, and the same request may be sent again."""
    return Rejected(-1008, "Server is currently overloaded with other requests. Please try again in a few minutes.",
                    status=503)  # fmt: skip


def too_many_orders(limit: int, interval: str) -> Rejected:
    return Rejected(-1015, f"Too many new orders; current limit is {limit} orders per {interval}.", status=429)
