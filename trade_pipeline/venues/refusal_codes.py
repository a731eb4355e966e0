"""What the exchanges' codes mean to us. Data only: `unified_errors` looks them up.

Each code that ccxt knows too is held by a test to mean the same, except where the table says why not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trade_pipeline.errors import (
    AuthenticationFailed,
    Banned,
    ClockSkew,
    DuplicateClientOrderId,
    FilterViolation,
    InsufficientFunds,
    OrderNotFound,
    OrderRefused,
    RateLimited,
    SymbolUnknown,
    VenueError,
    VenueUnavailable,
    WouldTriggerImmediately,
)

Kind = Callable[..., VenueError]

LOST = "lost"
"""A code after which the order may live."""

_KINDS: Mapping[str, Mapping[Kind | str, tuple[str, ...]]] = {
    "binance": {
        LOST: ("-1000", "-1001", "-1004", "-1006", "-1007", "-2021"),
        VenueUnavailable: ("-1008", "-1016", "-1034"),
        ClockSkew: ("-1021",),
        RateLimited: ("-1003", "-1015"),
        AuthenticationFailed: ("-1002", "-1022", "-2014", "-2015"),
        FilterViolation: ("-1013", "-1111"),
        OrderNotFound: ("-2013", "-2026"),
        SymbolUnknown: ("-1121",),
    },
    "kraken": {
        LOST: ("EService:Unavailable", "EService:Busy", "EService:Timeout", "EDatabase:Internal error",
                "EGeneral:Internal error"),
        VenueUnavailable: ("EService:Market in cancel_only mode",
                           "EService:Market in post_only mode"),
        ClockSkew: ("EAPI:Invalid nonce", "EService:Deadline elapsed"),
        RateLimited: ("EAPI:Rate limit exceeded", "EOrder:Rate limit exceeded", "EGeneral:Too many requests"),
        Banned: ("EGeneral:Temporary lockout",),
        AuthenticationFailed: ("EAPI:Invalid key", "EAPI:Invalid signature", "EGeneral:Permission denied"),
        FilterViolation: ("EOrder:Order minimum not met", "EOrder:Cost minimum not met",
                          "EOrder:Tick size check failed", "EGeneral:Invalid arguments:volume minimum not met"),
        InsufficientFunds: ("EOrder:Insufficient funds",),
        OrderNotFound: ("EOrder:Unknown order",),
        SymbolUnknown: ("EQuery:Invalid asset pair", "EQuery:Unknown asset pair"),
    },
    "bybit": {
        # 170146 and 170147 are time-outs of the exchange's own, and invalid orders to ccxt.
        LOST: ("10000", "10016", "170001", "170007", "170146", "170147", "170032"),
        ClockSkew: ("10002",),
        RateLimited: ("10006", "10018", "10429", "170005", "170222"),
        AuthenticationFailed: ("10003", "10004", "10005", "10010", "33004"),
        FilterViolation: ("170124", "170130", "170132", "170133", "170134", "170135", "170136", "170137", "170140",
                          "170193", "170194"),
        InsufficientFunds: ("170033", "170131"),
        OrderNotFound: ("110001", "170139", "170142", "170143", "170213"),
        SymbolUnknown: ("170121",),
    },
    "okx": {
        LOST: ("50001", "50004", "50013", "50026", "51149", "51054"),
        ClockSkew: ("50102", "50112"),
        RateLimited: ("50011", "50061"),
        AuthenticationFailed: ("50103", "50104", "50105", "50106", "50107", "50110", "50111",
                               "50113", "50119", "50120"),
        FilterViolation: ("51006", "51020", "51121"),
        InsufficientFunds: ("51008", "51131"),
        OrderNotFound: ("51400", "51401", "51402", "51410", "51603"),
        SymbolUnknown: ("51001",),
    },
    "coinbase": {
        LOST: ("UNKNOWN_FAILURE_REASON", "internal_server_error"),
        RateLimited: ("rate_limit_exceeded", "resource_exhausted"),
        AuthenticationFailed: ("PERMISSION_DENIED", "unauthorized", "authentication_error", "invalid_token"),
        FilterViolation: ("INVALID_SIZE_PRECISION", "INVALID_PRICE_PRECISION", "PREVIEW_INVALID_SIZE_PRECISION",
                          "PREVIEW_INVALID_PRICE_PRECISION", "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL",
                          "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL"),
        InsufficientFunds: ("INSUFFICIENT_FUND", "PREVIEW_INSUFFICIENT_FUND"),
        WouldTriggerImmediately: ("PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE",),
        OrderRefused: ("UNSUPPORTED_ORDER_CONFIGURATION", "INVALID_LIMIT_PRICE_POST_ONLY"),
        OrderNotFound: ("UNKNOWN_CANCEL_ORDER", "not_found", "NOT_FOUND"),
        SymbolUnknown: ("INVALID_PRODUCT_ID", "PREVIEW_INVALID_PRODUCT_ID"),
    },
    "kucoin": {
        LOST: ("500000", "408000", "200002"),
        ClockSkew: ("400002",),
        RateLimited: ("429000",),
        AuthenticationFailed: ("400001", "400003", "400004", "400005", "400006", "400007", "411100"),
        FilterViolation: ("600101", "300012"),
        InsufficientFunds: ("200004", "300003"),
        OrderNotFound: ("100001", "126043", "130103"),
        SymbolUnknown: ("900001", "400600"),
    },
    "mexc": {
        LOST: ("-1000", "-1001", "-1006", "-1007", "500", "503"),
        ClockSkew: ("700003", "700005"),
        RateLimited: ("429", "510"),
        AuthenticationFailed: ("602", "10001", "10072", "700001", "700002", "700007", "700013"),
        FilterViolation: ("30002", "30003", "30010", "30032"),
        InsufficientFunds: ("10101", "30004", "30005"),
        OrderNotFound: ("-2011", "-2013"),
        SymbolUnknown: ("-1121", "10007", "30014"),
    },
}  # fmt: skip
CODES: Mapping[str, Mapping[str, Kind | str]] = {
    exchange: {code: kind for kind, codes in kinds.items() for code in codes} for exchange, kinds in _KINDS.items()
}

WORDS: Mapping[str, tuple[tuple[str, Kind], ...]] = {
    "binance": (
        ("insufficient balance", InsufficientFunds),
        ("duplicate order", DuplicateClientOrderId),
        ("trigger immediately", WouldTriggerImmediately),
        ("cancel restrictions", OrderRefused),
        ("unknown order sent", OrderNotFound),
    ),
    "kucoin": (
        ("order not exist", OrderNotFound),
        ("order_not_exist", OrderNotFound),
        ("order does not exist", OrderNotFound),
        ("below the minimum", FilterViolation),
        ("increment invalid", FilterViolation),
    ),
}
"""Where one code stands for several refusals and the text tells them apart."""
