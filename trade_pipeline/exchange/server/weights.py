"""Request weights a minute and orders per 10 s and a day: counted, answered in headers, enforced by 429 and 418."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from trade_pipeline.exchange.engine import rejections
from trade_pipeline.exchange.engine.rejections import Rejected

_OFFENCES_MAX = 20
"""Requests after a 429 within the same minute that lead to a ban."""
_BAN_S = 120
_BAN_S_MAX = 3 * 24 * 3600
ORDER_LIMIT_10S = 100
ORDER_LIMIT_DAY = 200_000


class LimitReached(Rejected):
    """429 or 418, with the seconds to wait."""

    def __init__(self, text: str, *, status: int, retry_after_s: int) -> None:
        super().__init__(-1003, text, status=status)
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class _Client:
    minute: int = 0
    used: int = 0
    offences: int = 0
    banned_until_ms: int = 0
    bans: int = 0


@dataclass
class Weights:
    """By client address, in whole minutes of the exchange's clock, as Binance counts."""

    limit_per_minute: int
    _clients: dict[str, _Client] = field(default_factory=dict)
    _orders_10s: tuple[int, int] = (0, 0)
    _orders_day: tuple[int, int] = (0, 0)

    def charge(self, address: str, weight: int, now_ms: int) -> int:
        """Count a request; the weight used in this minute. Raises LimitReached."""
        client = self._clients.setdefault(address, _Client())
        if now_ms < client.banned_until_ms:
            raise _banned(client, now_ms)
        minute = now_ms // 60_000
        if client.minute != minute:
            client.minute, client.used, client.offences = minute, 0, 0
        client.used += weight
        if client.used > self.limit_per_minute:
            client.offences += 1
            if client.offences > _OFFENCES_MAX:
                client.bans += 1
                client.banned_until_ms = now_ms + 1000 * min(_BAN_S * 2 ** (client.bans - 1), _BAN_S_MAX)
                raise _banned(client, now_ms)
            raise LimitReached(
                f"Too much request weight used; current limit is {self.limit_per_minute} request weight per 1 MINUTE. "
                "Please use WebSocket Streams for live updates to avoid polling the API.",
                status=429,
                retry_after_s=60 - now_ms // 1000 % 60,
            )
        return client.used

    def used(self, address: str, now_ms: int) -> int:
        client = self._clients.get(address)
        return client.used if client is not None and client.minute == now_ms // 60_000 else 0

    def count_order(self, now_ms: int, orders: int = 1) -> dict[str, str]:
        """Count new orders; the headers that say how many. Raises Rejected -1015."""
        ten, day = now_ms // 10_000, now_ms // 86_400_000
        of_ten = (self._orders_10s[1] if self._orders_10s[0] == ten else 0) + orders
        of_day = (self._orders_day[1] if self._orders_day[0] == day else 0) + orders
        if of_ten > ORDER_LIMIT_10S:
            raise rejections.too_many_orders(ORDER_LIMIT_10S, "10 SECOND")
        if of_day > ORDER_LIMIT_DAY:
            raise rejections.too_many_orders(ORDER_LIMIT_DAY, "1 DAY")
        self._orders_10s, self._orders_day = (ten, of_ten), (day, of_day)
        return {"X-MBX-ORDER-COUNT-10S": str(of_ten), "X-MBX-ORDER-COUNT-1D": str(of_day)}

    def order_counts(self, now_ms: int) -> tuple[int, int]:
        ten, day = now_ms // 10_000, now_ms // 86_400_000
        return (
            self._orders_10s[1] if self._orders_10s[0] == ten else 0,
            self._orders_day[1] if self._orders_day[0] == day else 0,
        )


def rate_limits(weight_per_minute: int) -> list[dict[str, object]]:
    """`rateLimits` of exchangeInfo."""
    return [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": weight_per_minute},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDER_LIMIT_10S},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": ORDER_LIMIT_DAY},
        {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61_000},
    ]


def _banned(client: _Client, now_ms: int) -> LimitReached:
    until = datetime.fromtimestamp(client.banned_until_ms / 1000, UTC)
    return LimitReached(
        f"Way too much request weight used; IP banned until {int(until.timestamp() * 1000)}. "
        "Please use WebSocket Streams for live updates to avoid bans.",
        status=418,
        retry_after_s=max(1, -(-(client.banned_until_ms - now_ms) // 1000)),
    )
