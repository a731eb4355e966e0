"""Reads the status of a stack from its files, its supervisor and its ledger; works when any of them is down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from trade_pipeline.errors import GateClosed, TradePipelineError
from trade_pipeline.execution.control import paused, read_positions
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.observe import book
from trade_pipeline.observe.checks import failed_checks
from trade_pipeline.observe.values import HeldPosition, ProcessLine, Status
from trade_pipeline.runtime.health import http_json
from trade_pipeline.runtime.home_lock import holder_of
from trade_pipeline.runtime.signs_file import SignAge, read_signs
from trade_pipeline.runtime.stack_file import StackFile, read_stack_file
from trade_pipeline.runtime.supervise import Supervisor
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import secrets_from
from trade_pipeline.settings.root import Settings


class StatusReader:
    """Keeps its connection to the ledger between readings. `read` never raises because a part is down."""

    def __init__(self, home: Home, settings: Settings, environ: Mapping[str, str]) -> None:
        self._home = home
        self._settings = settings
        self._url = secrets_from(environ, home).ledger_url
        self._ledger = Ledger(self._url)

    def close(self) -> None:
        self._ledger.close()

    def read(self, at: datetime) -> Status:
        stack = read_stack_file(self._home)
        account, ledger = self._settings.account, self._ledger
        parts = _Parts()
        with parts.named("supervisor"):
            parts.put("processes", self._processes(at))
        marks: Mapping[str, Decimal] = {}
        with parts.named("exchange"):
            marks = _marks(stack)
        with parts.named("database"):
            ledger.ping()
            parts.put("decision", book.last_decision(ledger, account))
            parts.put("money", book.money(ledger, account, at))
            parts.put("positions", tuple(book.held_positions(ledger, account, marks)))
            parts.put("open_orders", tuple(book.open_orders(ledger, account, at)))
            parts.put("locks", tuple(book.lock_lines(ledger, account, at)))
            parts.put("breakers", tuple(book.breaker_lines(ledger, account)))
            parts.put("conflicts", tuple(book.conflict_lines(ledger, account)))
            parts.put("alerts", tuple(book.alerts(ledger, account, at)))
            if stack:
                parts.put("lost_ticks", tuple(book.lost_ticks(ledger, account, stack.started_at, at)))
            parts.put("failed_checks", tuple(failed_checks(self._url)))
        if "database" in parts.unavailable:
            parts.put("positions", tuple(_positions_by_guard(self._home)))
        running = holder_of(self._home) is not None
        return Status(
            at=at,
            mode=self._settings.mode,
            account=account,
            home=str(self._home.root),
            running=running,
            started_at=stack.started_at if stack else None,
            ui_url=stack.ui_url if stack else None,
            next_bar_at=at.replace(second=0, microsecond=0) + timedelta(minutes=1),
            paused=paused(self._home),
            unavailable=tuple(parts.unavailable),
            last_log_at=None if running else _last_log_at(self._home),
            **parts.values,
        )

    def _processes(self, at: datetime) -> tuple[ProcessLine, ...]:
        supervisor = Supervisor(self._home)
        spawned, signs = supervisor.spawned(), read_signs(self._home, at)
        return tuple(
            ProcessLine(
                name=state.name,
                state=state.state,
                process_id=state.process_id,
                restarts=max(spawned.get(state.name, 1) - 1, 0),
                uptime_s=max(at.timestamp() - state.started_at, 0.0) if state.alive else 0.0,
                **_sign(signs.get(state.name)),
            )
            for state in supervisor.states().values()
        )


def _sign(sign: SignAge | None) -> dict[str, Any]:
    return {} if sign is None else {"sign": sign.sign, "sign_age_s": sign.age_s, "sign_limit_s": sign.limit_s}


class _Parts:
    """What could be read so far, and which parts did not answer."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.unavailable: list[str] = []

    def put(self, name: str, value: object) -> None:
        self.values[name] = value

    @contextmanager
    def named(self, part: str) -> Iterator[None]:
        try:
            yield
        except (TradePipelineError, OSError):
            self.unavailable.append(part)


def _marks(stack: StackFile | None) -> dict[str, Decimal]:
    """Best bids by unified symbol. Raises OSError when the exchange does not answer."""
    answer = http_json(f"{stack.exchange_url}/api/v3/ticker/bookTicker") if stack else None
    if not isinstance(answer, list):
        raise OSError("the exchange does not answer")
    bids = {str(row["symbol"]): Decimal(str(row["bidPrice"])) for row in answer}
    return _Unified(bids)


class _Unified(dict[str, Decimal]):
    """Looks up BTC/USDT under the exchange's BTCUSDT."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key.replace("/", ""), default)


def _last_log_at(home: Home) -> datetime | None:
    """When anything of the stack last wrote to a log; None where there is none."""
    try:
        times = [path.stat().st_mtime for path in home.logs.iterdir()]
    except OSError:
        return None
    return datetime.fromtimestamp(max(times), UTC) if times else None


def _positions_by_guard(home: Home) -> list[HeldPosition]:
    """The guard's last view, for when the database is away. It names the orders that rested, and not their prices."""
    try:
        recorded = read_positions(home)
    except GateClosed:
        return []
    rows = recorded.positions.values() if recorded else ()
    return [
        HeldPosition(
            *(row.symbol, row.amount, None, None, None, None, ""), rests="order" if row.live_order_ids else "unknown"
        )
        for row in rows
        if row.amount
    ]


def as_json(status: Status) -> str:
    """The status as JSON: decimals as strings, times as ISO text."""
    return json.dumps(_plain(status), indent=2, default=_text)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def utc_now() -> datetime:
    return datetime.now(UTC)


Clock = Callable[[], datetime]
