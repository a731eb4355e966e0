"""The guard as a process, on a real exchange server and a real database, without Dagster, broker and workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from trade_pipeline.execution.control import read_positions
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.readback.reconcile import reconcile
from trade_pipeline.execution.rounding import amount_down
from trade_pipeline.execution.sending.submit import acquire_lease, send
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Fill
from trade_pipeline.schemas.trading import OrderRequest, OrderState, OrderType, Side
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import write_settings_in_force
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline_tests.exchange_process import KEY, SECRET, RunningExchange, running_exchange
from trade_pipeline_tests.fakes import make_intent
from trade_pipeline_tests.readers import reading_hard

BTC = "BTC/USDT"
WAIT_S_MAX = 30.0
EXIT_S_MAX = 2.0


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[RunningExchange]:
    with running_exchange(tmp_path) as running:
        yield running


@pytest.fixture
def venue(exchange: RunningExchange) -> Iterator[BinanceTrading]:
    trading = exchange.trading()
    yield trading
    trading.close()


@contextmanager
def running_guard(
    home: Home, exchange: RunningExchange, ledger_url: str, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    environ = {
        **os.environ,
        "TRADE_PIPELINE_HOME": str(home.root),
        "TRADE_PIPELINE_LEDGER_URL": ledger_url,
        "TRADE_PIPELINE_BROKER_URL": "redis://127.0.0.1:1/0",
        "TRADE_PIPELINE_EXCHANGE_URL": exchange.url,
        "TRADE_PIPELINE_EXCHANGE_API_KEY": KEY,
        "TRADE_PIPELINE_EXCHANGE_API_SECRET": SECRET,
    }
    command = [sys.executable, "-m", "trade_pipeline.execution.guard", "--home", str(home.root)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=output)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)


def awaited(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S_MAX
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.1)


def buy(desk: Desk) -> None:
    """One position of about 300 USDT, bought the way an execution does."""
    reconcile(desk)
    rules, ask = desk.venue.markets()[BTC], desk.venue.book_tops([BTC])[BTC].ask
    amount = amount_down(300 / ask, rules)
    named = "7c01" + "0" * 28
    intent = make_intent(amount=amount, stop_distance=ask / 10, created_at=desk.now())
    lease = acquire_lease(desk, "test", for_exit=False, wait_s=5)
    try:
        order = send(desk, lease, intent, OrderRequest(named, BTC, Side.BUY, OrderType.MARKET, amount))
    finally:
        desk.ledger.release_lease(lease)
    assert order.filled == amount


def test_the_guard_arms_and_arms_again_and_ends_quickly(
    exchange: RunningExchange, venue: BinanceTrading, ledger: Ledger, ledger_url: str, tmp_path: Path
) -> None:
    """TRADING rules 16 and 17, and no secret in what it logs (invariant 20)."""
    desk = Desk(ledger, venue, exchange.settings, exchange.home, lambda: datetime.now(UTC))
    log = tmp_path / "guard.log"

    def stops() -> list[str]:
        return [order.client_order_id for order in venue.open_orders(BTC) if order.stop_price]

    buy(desk)
    with running_guard(exchange.home, exchange, ledger_url, log) as guard:
        awaited(lambda: len(stops()) == 1, "a stop rests on the exchange")
        (first,) = stops()
        venue.cancel(BTC, first)
        awaited(lambda: stops() not in ([], [first]), "the stop is armed again")
        (stop,) = venue.open_orders(BTC)
        held = ledger.position("main", BTC)
        assert held is not None
        assert stop.amount == amount_down(held.amount, venue.markets()[BTC])
        awaited(lambda: read_positions(exchange.home) is not None, "positions are written down")
        begun = time.monotonic()
        guard.send_signal(signal.SIGTERM)
        assert guard.wait(10) == 0
        assert time.monotonic() - begun < 2
    text = log.read_text()
    assert stop.client_order_id in text
    assert SECRET not in text
    assert [beat.process for beat in ledger.heartbeats()] == ["guard"]


def test_a_second_guard_of_another_home_is_refused(
    exchange: RunningExchange, ledger_url: str, ledger: Ledger, tmp_path: Path
) -> None:
    """RELIABILITY statement 30."""
    other = Home.at(tmp_path / "other")
    write_settings_in_force(other, exchange.settings)
    logs = tmp_path / "first.log", tmp_path / "second.log"
    with running_guard(exchange.home, exchange, ledger_url, logs[0]):
        awaited(lambda: bool(ledger.heartbeats()), "the first guard works")
        with running_guard(other, exchange, ledger_url, logs[1]):
            awaited(lambda: "another guard watches this account" in logs[1].read_text(), "the second says so")
    assert not other.positions.exists()


def test_a_stop_that_was_passed_while_nobody_watched_is_sold_at_once(
    exchange: RunningExchange, venue: BinanceTrading, ledger: Ledger, ledger_url: str, tmp_path: Path
) -> None:
    desk = Desk(ledger, venue, exchange.settings, exchange.home, lambda: datetime.now(UTC))
    buy(desk)
    held = ledger.position("main", BTC)
    assert held is not None
    # A stop above the market, as after a fall: the exchange refuses it, and that means exit now.
    ledger.adopt("main", BTC, Decimal("0.00001"), (held.average_price or Decimal(0)) * 10**9, datetime.now(UTC), "test")
    with running_guard(exchange.home, exchange, ledger_url, tmp_path / "guard.log"):

        def is_flat() -> bool:
            now = ledger.position("main", BTC)
            return now is not None and now.amount < venue.markets()[BTC].amount_step * 2

        awaited(is_flat, "the position is sold")
        awaited(lambda: bool(ledger.locks("main", datetime.now(UTC))), "the strategy is locked")


def test_from_breach_to_exit_it_takes_less_than_two_seconds_while_reads_are_loaded(
    exchange: RunningExchange, venue: BinanceTrading, ledger: Ledger, ledger_url: str, tmp_path: Path
) -> None:
    """TRADING 16: neither daemon, broker nor worker is there, and others read as fast as the exchange answers."""
    tree = exchange.settings.model_dump(mode="json")
    # Twice as often as by default: the machine that runs the tests may be busy with others.
    quick = Settings.model_validate({**tree, "exits": {**tree["exits"], "guard_interval_s": 0.5}})
    write_settings_in_force(exchange.home, quick)
    desk = Desk(ledger, venue, exchange.settings, exchange.home, lambda: datetime.now(UTC))
    buy(desk)
    held = ledger.position("main", BTC)
    assert held is not None
    with (
        running_guard(exchange.home, exchange, ledger_url, tmp_path / "guard.log"),
        reading_hard(exchange.url) as answers,
    ):
        # Asked of the ledger: looking on must not use up what the address may ask of the exchange.
        awaited(lambda: any(o.state == OrderState.OPEN for o in ledger.live_orders("main", BTC)), "a stop rests")
        before = sum(answers)
        # The entry becomes dearer than any price: at this moment the stop is breached, and what rests is far below.
        price = (held.average_price or Decimal(0)) * 10**9
        ledger.adopt("main", BTC, Decimal("0.00001"), price, datetime.now(UTC), "test")
        breached_at = datetime.now(UTC)

        def sale() -> Fill | None:
            return next((fill for fill in ledger.fills("main") if fill.side == Side.SELL), None)

        awaited(lambda: sale() is not None, "the position is sold")
        sold = sale()
        assert sold is not None
        assert sum(answers) > before, "nobody read meanwhile"
    assert (sold.at - breached_at).total_seconds() < EXIT_S_MAX
