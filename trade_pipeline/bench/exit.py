"""From the trade that breaches a stop to the acknowledged exit order, where no order rests and the guard alone watches.

The real guard process, a real PostgreSQL that syncs each commit, and the simulated exchange as a process of its own,
told to take no stops. What breaches is the market's own trade: stops stand so near that noise reaches them. Where a
protective order rests, its exchange sells and none of this time is spent.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx

from trade_pipeline.bench.measure import Report
from trade_pipeline.bench.own_stack import LIVELY
from trade_pipeline.bench.spread import Spread, as_json
from trade_pipeline.errors import ConfigurationError, LedgerError
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.ids import client_order_id, intent_id
from trade_pipeline.execution.rounding import amount_down
from trade_pipeline.execution.sending.submit import acquire_lease, send
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Intent, Order
from trade_pipeline.runtime.environment import prepare_home
from trade_pipeline.runtime.throwaway_exchange import ThrowawayExchange, throwaway_exchange
from trade_pipeline.schemas.trading import OrderRequest, OrderType, Role, Side
from trade_pipeline.settings.load import VARIABLES, Secrets, load_settings, write_settings_in_force
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.factory import trading_venue

AIM_P50_S = 1.5
SYMBOLS = 20
NOTIONAL_QUOTE = Decimal(100)
STOP_RATIO = Decimal("0.0004")
"""Distance of the stop, as a share of the price: the market comes there within a minute or two."""
ROUND_S_MAX = 120.0
GUARD_S_MAX = 60.0
POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Exit:
    """One breach. `took_s`: from the trade's time on the exchange to the answer with an order id, in the ledger."""

    symbol: str
    breached_at: datetime
    took_s: float


def measure_exits(ledger_url: str, count: int, tell: Callable[[str], None]) -> Report:
    """On an empty migrated ledger that is thrown away afterwards. Raises ConfigurationError when a process ends."""
    report = Report("exit", tell)
    exits: list[Exit] = []
    with (
        tempfile.TemporaryDirectory(prefix="trade-pipeline-bench-") as folder,
        throwaway_exchange(
            Path(folder),
            symbols=SYMBOLS,
            history_days=1,
            stop_orders=False,
            maker_fee_rate=0,
            taker_fee_rate=0,
            weight_limit_per_minute=10**9,
        ) as exchange,
        _desk(exchange, ledger_url) as desk,
        _guard(desk, exchange, ledger_url),
    ):
        while len(exits) < count:
            found = _round(desk, exchange.url, count - len(exits))
            if not found:
                break
            for item in found:
                tell(f"{item.symbol:10} breached at {item.breached_at:%H:%M:%S.%f}, exit after {item.took_s:.2f} s")
            exits += found
    spread = Spread.of([item.took_s for item in exits])
    figures = as_json(spread)
    report.summary = {
        **figures,
        "breaches": len(exits),
        "aims": {"p50_s": AIM_P50_S},
        "aims_met": {"p50_s": spread is not None and spread.p50_s <= AIM_P50_S},
        "guard_interval_s": desk.settings.exits.guard_interval_s,
        "load_average": round(os.getloadavg()[0], 1),
    }
    if spread is not None:
        tell(f"{len(exits)} breaches: p50 {spread.p50_s:.2f} s, p95 {spread.p95_s:.2f} s, maximum {spread.max_s:.2f} s")
    return report


@contextmanager
def _desk(exchange: ThrowawayExchange, ledger_url: str) -> Iterator[Desk]:
    settings = _settings(exchange)
    write_settings_in_force(exchange.home, settings)
    prepare_home(exchange.home)
    secrets = Secrets(exchange.key, exchange.secret, ledger_url)
    venue = trading_venue(settings, secrets, exchange.url, exchange.home.budgets)
    with closing(Ledger(ledger_url)) as ledger, closing(venue):
        ledger.record_opening(settings.account, venue.account())
        yield Desk(ledger, venue, settings, exchange.home, lambda: datetime.now(UTC))


def _settings(exchange: ThrowawayExchange) -> Settings:
    """Of a stack's own defaults nothing is changed but what would stop such trading: breakers that count losses."""
    lively = load_settings(LIVELY, environ={})
    return exchange.settings.model_copy(update={"breaker": lively.breaker})


@contextmanager
def _guard(desk: Desk, exchange: ThrowawayExchange, ledger_url: str) -> Iterator[None]:
    """The guard's own process, until it has written that it lives."""
    environ = {
        **os.environ,
        VARIABLES["exchange_api_key"]: exchange.key,
        VARIABLES["exchange_api_secret"]: exchange.secret,
        VARIABLES["ledger_url"]: ledger_url,
        "TRADE_PIPELINE_EXCHANGE_URL": exchange.url,
    }
    command = [sys.executable, "-m", "trade_pipeline.execution.guard", "--home", str(exchange.home.root)]
    with (exchange.home.root / "guard.log").open("wb") as log:
        guard = subprocess.Popen(command, env=environ, stdout=log, stderr=log)  # noqa: S603  our own program, no shell
    try:
        deadline = time.monotonic() + GUARD_S_MAX
        while not any(beat.process == "guard" for beat in desk.ledger.heartbeats()):
            if guard.poll() is not None or time.monotonic() > deadline:
                words = (exchange.home.root / "guard.log").read_text(errors="replace")[-400:]
                raise ConfigurationError(f"the guard did not start: {words}", thing="bench exit")
            time.sleep(POLL_S)
        yield
    finally:
        guard.terminate()
        guard.wait(20)


def _round(desk: Desk, url: str, count: int) -> list[Exit]:
    """Buys what is not held and waits for `count` exits; a position that the market spares is held on."""
    began_at = desk.now()
    bought = _buy(desk)
    deadline = time.monotonic() + ROUND_S_MAX
    waiting, found = dict(bought), list[Exit]()
    while waiting and len(found) < count and time.monotonic() < deadline:
        sold = _exits(desk, began_at)
        for symbol in sorted(waiting.keys() & sold.keys()):
            stop, since = waiting.pop(symbol)
            breached_at = _breach(url, symbol, stop, since)
            acknowledged_at = sold[symbol].acknowledged_at
            if breached_at is not None and acknowledged_at is not None:
                found.append(Exit(symbol, breached_at, (acknowledged_at - breached_at).total_seconds()))
        time.sleep(POLL_S)
    return found[:count]


def _buy(desk: Desk) -> dict[str, tuple[Decimal, datetime]]:
    """Symbol -> (stop on the price grid, when the position was there)."""
    rules = desk.venue.markets()
    held = {position.symbol for position in desk.ledger.positions(desk.account) if position.opened_at is not None}
    symbols = sorted(rules.keys() - held)
    tops, bought = desk.venue.book_tops(symbols), {}
    for symbol in symbols:
        # An exit of one that is there already may take the lease: the next round buys what this one could not.
        with suppress(LedgerError):
            price = tops[symbol].ask
            order, intent = _bought(desk, symbol, amount_down(NOTIONAL_QUOTE / price, rules[symbol]), price)
            if order.filled > 0 and intent.stop_distance is not None:
                bought[symbol] = (order.quote_filled / order.filled - intent.stop_distance, desk.now())
    return bought


def _bought(desk: Desk, symbol: str, amount: Decimal, price: Decimal) -> tuple[Order, Intent]:
    intent = _entry(desk, symbol, amount, price)
    named = client_order_id(desk.prefix, desk.account, intent.intent_id, 0)
    request = OrderRequest(named, symbol, Side.BUY, OrderType.MARKET, amount)
    lease = acquire_lease(desk, "bench", for_exit=False, wait_s=5.0)
    try:
        return send(desk, lease, intent, request), intent
    finally:
        with suppress(LedgerError):
            desk.ledger.release_lease(lease)


def _entry(desk: Desk, symbol: str, amount: Decimal, price: Decimal) -> Intent:
    now = desk.now()
    return Intent(
        intent_id=intent_id(desk.account, f"bench|{now.isoformat()}", symbol, Role.ENTRY),
        account=desk.account,
        decision_id=None,
        symbol=symbol,
        role=Role.ENTRY,
        side=Side.BUY,
        amount=amount,
        strategy="bench",
        sleeves={"bench": Decimal(1)},
        reason="measured",
        decision_price=price,
        stop_distance=price * STOP_RATIO,
        created_at=now,
    )


def _exits(desk: Desk, since: datetime) -> Mapping[str, Order]:
    """Symbol -> the first acknowledged exit order since then."""
    orders = desk.ledger.orders(desk.account, since)
    return {o.symbol: o for o in orders if o.role == Role.EXIT and o.attempt == 0 and o.acknowledged_at is not None}


def _breach(url: str, symbol: str, stop: Decimal, since: datetime) -> datetime | None:
    """When the market first traded at or below the stop, by the exchange's own list of trades."""
    start_ms = int(since.timestamp() * 1000)
    params: dict[str, str | int] = {"symbol": symbol.replace("/", ""), "limit": 1000}
    answer = httpx.get(f"{url}/api/v3/aggTrades", params=params, timeout=10)
    answer.raise_for_status()
    times = [row["T"] for row in answer.json() if row["T"] >= start_ms and Decimal(row["p"]) <= stop]
    return datetime.fromtimestamp(min(times) / 1000, UTC) if times else None
