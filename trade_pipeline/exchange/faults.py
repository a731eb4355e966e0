"""Faults on request: broken feeds of one symbol, and failing or silent HTTP answers.

Set through /sim/faults. The market itself and the engine stay sound: what breaks is what a client sees of them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import count
from typing import Literal, get_args

FeedKind = Literal[
    "negative_price",
    "high_below_low",
    "stale",
    "gap",
    "duplicate",
    "conflicting_duplicate",
    "revised_candle",
    "other_price",
]
HttpKind = Literal["http_500", "http_429", "timeout", "lost_before_effect"]
FEED_KINDS: tuple[str, ...] = get_args(FeedKind)
HTTP_KINDS: tuple[str, ...] = get_args(HttpKind)

Row = list[object]


@dataclass(slots=True)
class Fault:
    """One fault. `symbol` is the exchange's name (None: all), `path` a prefix (None: all), `count` how often it
    still strikes (None: until it is cleared), `share` how many of the requests it strikes, seeded by its id."""

    id: int
    kind: str
    symbol: str | None = None
    path: str | None = None
    method: str | None = None
    count: int | None = None
    delay_s: float = 30.0
    share: float = 1.0
    since_ms: int = 0
    asked: int = 0
    struck: int = 0

    def strikes(self) -> bool:
        """Whether it is still there; counts it."""
        if self.count is not None and self.struck >= self.count:
            return False
        self.asked += 1
        if self.share < 1 and random.Random(f"{self.id} {self.asked}").random() >= self.share:
            return False
        self.struck += 1
        return True


@dataclass
class Faults:
    active: list[Fault] = field(default_factory=list)
    _ids: count[int] = field(default_factory=lambda: count(1))

    def add(self, request: dict[str, object], now_ms: int) -> Fault:
        """Raises ValueError that names the wrong key or value."""
        kind = request.get("kind")
        if kind not in FEED_KINDS + HTTP_KINDS:
            raise ValueError(f"kind {kind!r} is none of {', '.join(FEED_KINDS + HTTP_KINDS)}")
        unknown = request.keys() - {"kind", "symbol", "path", "method", "count", "delay_s", "share"}
        if unknown:
            raise ValueError(
                f"unknown keys {sorted(unknown)}: a fault has kind, symbol, path, method, count, delay_s, share"
            )
        symbol, path, method = (request.get(name) for name in ("symbol", "path", "method"))
        times, delay, share = request.get("count"), request.get("delay_s", 30.0), request.get("share", 1.0)
        if times is not None and (not isinstance(times, int) or times < 1):
            raise ValueError(f"count {times!r} must be a whole number above 0")
        if not isinstance(delay, int | float) or not 0 <= delay <= 600:
            raise ValueError(f"delay_s {delay!r} must lie between 0 and 600")
        if not isinstance(share, int | float) or not 0 < share <= 1:
            raise ValueError(f"share {share!r} must lie above 0 and be 1 at most")
        fault = Fault(
            id=next(self._ids),
            kind=str(kind),
            symbol=str(symbol).replace("/", "") if symbol is not None else None,
            path=str(path) if path is not None else None,
            method=str(method).upper() if method is not None else None,
            count=times,
            delay_s=float(delay),
            share=float(share),
            since_ms=now_ms,
        )
        self.active.append(fault)
        return fault

    def clear(self) -> None:
        self.active.clear()

    def http(self, method: str, path: str, symbol: str | None) -> Fault | None:
        """The fault that strikes this request, if any."""
        for fault in self.active:
            if (
                fault.kind in HTTP_KINDS
                and (fault.path is None or path.startswith(fault.path))
                and fault.method in {None, method}
                and fault.symbol in {None, symbol}
                and not path.startswith("/sim/")
                and fault.strikes()
            ):
                return fault
        return None

    def on_klines(self, exchange_id: str, rows: list[Row], now_ms: int) -> list[Row]:
        """The klines of a symbol as a broken feed shows them."""
        for fault in self.active:
            if rows and fault.kind in FEED_KINDS and fault.symbol in {None, exchange_id} and fault.strikes():
                rows = _break(fault, [list(row) for row in rows], now_ms)
        return rows


def _break(fault: Fault, rows: list[Row], now_ms: int) -> list[Row]:
    """Damage the newest closed candle: the running one may have no row yet. A gap and a stale feed last."""
    at = max((number for number, row in enumerate(rows) if _open_ms(row) + 60_000 <= now_ms), default=0)
    if fault.kind == "stale":
        return [row for row in rows if _open_ms(row) + 60_000 <= fault.since_ms]
    if fault.kind == "negative_price":
        rows[at][4] = "-" + str(rows[at][4])
        rows[at][3] = rows[at][4]
    elif fault.kind == "high_below_low":
        rows[at][2], rows[at][3] = rows[at][3], _raised(rows[at][2])
    elif fault.kind == "gap":
        # The candle that had closed when the fault came, and the one that ran: they never appear while it lasts.
        return [row for row in rows if not (_in_hole(row, fault) and _open_ms(row) + 60_000 <= now_ms)]
    elif fault.kind == "duplicate":
        rows.insert(at, list(rows[at]))
    elif fault.kind == "conflicting_duplicate":
        rows.insert(at + 1, _contradicting(rows[at]))
    elif fault.kind == "other_price":
        # As if of another market: every candle since the fault lies a fiftieth above what it was, and looks sound.
        return [_shifted(row) if _open_ms(row) > fault.since_ms - 60_000 else row for row in rows]
    elif fault.kind == "revised_candle":
        # Every reading shows another close and volume than the one before.
        factor = 1 + fault.struck / 1000
        rows[at][4] = rows[at][2]
        rows[at][5] = f"{float(str(rows[at][5])) * factor:.8f}"
    return rows


def _in_hole(row: Row, fault: Fault) -> bool:
    return fault.since_ms - 120_000 < _open_ms(row) <= fault.since_ms


def _open_ms(row: Row) -> int:
    return int(str(row[0]))


def _contradicting(row: Row) -> Row:
    """Another candle of the same time that is as sound."""
    return [*row[:4], row[2], f"{float(str(row[5])) + 1:.8f}", *row[6:]]


def _shifted(row: Row) -> Row:
    return [*row[:1], *(f"{float(str(price)) * 1.02:.8f}" for price in row[1:5]), *row[5:]]


def _raised(price: object) -> str:
    return f"{float(str(price)) * 1.01:.8f}"
