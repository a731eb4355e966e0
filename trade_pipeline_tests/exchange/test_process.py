"""The exchange as a process: what survives kill -9, how it ends, and what it refuses in one sentence."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trade_pipeline.errors import SettingsError
from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.exchange.engine.settlement import Fees
from trade_pipeline.exchange.engine.state import State
from trade_pipeline.exchange.market.market import Market
from trade_pipeline.exchange.market.process import SeededMarket
from trade_pipeline.exchange.opening import open_exchange
from trade_pipeline.exchange.server.auth import Credentials
from trade_pipeline.exchange.store import Store
from trade_pipeline.exchange.world import World
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.market import SimulatedExchangeSettings
from trade_pipeline_tests.exchange.builders import request
from trade_pipeline_tests.exchange.servers import client, home_with_settings, start_process, wait_until_ready

CREDENTIALS = Credentials("k" * 32, "s" * 32)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _facts(binance: Any) -> list[Any]:
    balance = binance.fetch_balance()
    return [
        {asset: amount for asset, amount in balance["total"].items() if float(amount)},
        [order["id"] for order in binance.fetch_open_orders("ETH/USDT")],
        [trade["info"] for trade in binance.fetch_my_trades("ETH/USDT")],
        [order["status"] for order in binance.fetch_orders("ETH/USDT")],
        # The oldest candles, because the newest go on.
        binance.fetch_ohlcv("ETH/USDT", "1m", binance.milliseconds() // 60_000 * 60_000 - 30 * 60_000, 20),
    ]


def test_orders_trades_balances_and_market_survive_kill_9(tmp_path: Path) -> None:
    port = _free_port()
    url, home = f"http://127.0.0.1:{port}", home_with_settings(tmp_path, port)
    process = start_process(home)
    try:
        wait_until_ready(process, url)
        binance = client(url)
        binance.load_markets()
        price = float(binance.create_order("ETH/USDT", "market", "buy", 0.1)["average"])
        binance.create_order("ETH/USDT", "STOP_LOSS", "sell", 0.09, None, {"stopPrice": round(price * 0.5, 2)})
        binance.create_order("ETH/USDT", "limit", "buy", 0.1, round(price * 0.5, 2))
        before = _facts(binance)
        process.kill()
        process.wait()
        process = start_process(home)
        wait_until_ready(process, url)
        assert _facts(binance) == before
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, "asked to end, it ends by itself and in order"
    finally:
        process.kill()
        process.wait()


def test_a_taken_port_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, sentence = _ends(home_with_settings(tmp_path, taken.getsockname()[1]))
    assert code == 2
    assert "exchange.port: the port cannot be used" in sentence
    assert "Traceback" not in sentence


def test_a_missing_recording_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    code, sentence = _ends(home_with_settings(tmp_path, 0, replay=tmp_path / "nowhere"))
    assert code == 2
    assert "nowhere: there is no such file" in sentence


def _ends(home: Home) -> tuple[int, str]:
    process = start_process(home)
    try:
        _, sentence = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, sentence


def test_a_home_that_plays_another_market_is_refused(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    open_exchange(home, SimulatedExchangeSettings(seed=7, history_days=1), CREDENTIALS).world.store.close()
    again = open_exchange(home, SimulatedExchangeSettings(seed=7, history_days=1), CREDENTIALS)
    again.world.store.close()
    with pytest.raises(SettingsError, match="plays another market"):
        open_exchange(home, SimulatedExchangeSettings(seed=8, history_days=1), CREDENTIALS)


def test_the_path_missed_while_down_is_played_against_the_resting_orders(tmp_path: Path) -> None:
    """A stop that the path reached during an outage has filled at that step, as if nothing had happened."""
    source = SeededMarket(7, 29_000_000, 20)
    begin = next(minute for minute in range(29_000_500, 29_010_000, 60) if _falls_and_returns(source, minute))
    now = {"ms": begin * 60_000}
    opening = {"USDT": Decimal(10_000), "BTC": Decimal(50)}

    def world(store: Store) -> World:
        state = store.load() or State.opening(opening)
        engine = Engine(source.specs.values(), state, Fees(Decimal("0.001"), Decimal("0.001")))
        return World(engine, Market(source, 7), store, clock_ms=lambda: now["ms"])

    def trade_for_two_hours(path: Path, outage: bool) -> list[Any]:
        now["ms"] = begin * 60_000
        first = world(Store(path))
        step = first.advance("BTC/USDT", now["ms"])
        assert step is not None
        spec = source.specs["BTC/USDT"]
        low = int(source.bars("BTC/USDT", begin, begin + 119).low.min())
        stop = request("sell", "STOP_LOSS", "0.01", stop=spec.price((low + step.price) // 2))
        limit = request("buy", "LIMIT", "0.01", price=spec.price((low + step.price) // 2 + 1))
        first.engine.place(stop, now["ms"])
        first.engine.place(limit, now["ms"])
        first.save()
        if outage:
            first.store.close()
            first = world(Store(path))
            now["ms"] += 120 * 60_000
            first.advance_all(now["ms"])
        else:
            for _ in range(7200):
                now["ms"] += 1000
                first.advance_all(now["ms"])
        return first.engine.trades("BTC/USDT")

    watched = trade_for_two_hours(tmp_path / "watched.sqlite", outage=False)
    missed = trade_for_two_hours(tmp_path / "missed.sqlite", outage=True)
    assert len(watched) >= 2
    assert missed == watched


def _falls_and_returns(source: SeededMarket, begin: int) -> bool:
    """Two hours in which the price falls by half a percent."""
    bars = source.bars("BTC/USDT", begin, begin + 119)
    return bool(bars.low.min() < bars.open[0] * 0.995)


def test_a_fresh_exchange_has_thirty_days_of_history_within_two_seconds() -> None:
    durations_s: list[float] = []
    while not durations_s or (min(durations_s) >= 2 and len(durations_s) < 3):
        began = time.monotonic()
        context = open_exchange(None, SimulatedExchangeSettings(), CREDENTIALS)
        now = context.world.clock_ms()
        table = context.world.candles.minutes("FIL/USDT", now // 60_000 - 30 * 1440, now // 60_000, now)
        durations_s.append(time.monotonic() - began)
        assert len(table) >= 30 * 1440
    # The best of three: other processes of the machine are not what is measured.
    assert min(durations_s) < 2
