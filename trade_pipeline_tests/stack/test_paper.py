"""A whole stack on paper: a second simulated exchange stands for the real one, which nothing here can reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
import yaml

from trade_pipeline.market_data.sources.cascade import CASCADE
from trade_pipeline.market_data.sources.figures import Figures
from trade_pipeline.settings.load import secrets_from
from trade_pipeline_tests.exchange_process import SECRET, RunningExchange, running_exchange
from trade_pipeline_tests.stack.running import EXCHANGE_POLL_S, RunningStack, awaited, left_running

pytestmark = pytest.mark.stack
LIVELY = Path(__file__).with_name("lively.yaml")


@dataclass(frozen=True)
class OnPaper:
    stack: RunningStack
    real: RunningExchange


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnPaper]:
    folder = tmp_path_factory.mktemp("paper")
    with running_exchange(folder / "real", symbols=8, history_days=3, seed=11) as real:
        chosen = folder / "settings.yaml"
        chosen.write_text(yaml.safe_dump({**yaml.safe_load(LIVELY.read_text()), "paper": {"feed_url": real.url}}))
        stack = RunningStack.start(folder, "--mode", "paper", "--exchange", "binance", "--settings", str(chosen))
        try:
            awaited(lambda: stack.ask(lambda ledger: ledger.fills("main")), 300, "a first fill", stack)
            yield OnPaper(stack, real)
        finally:
            code = stack.stop()
        assert code == 0, stack.log.read_text()[-3000:]
        assert left_running(stack.home) == []


def test_orders_are_filled_at_prices_of_the_real_market(paper: OnPaper) -> None:
    fills = paper.stack.ask(lambda ledger: ledger.fills("main"))
    for fill in fills:
        start_ms = int((fill.at - timedelta(minutes=2)).timestamp() * 1000)
        name = fill.symbol.replace("/", "")
        params: dict[str, str | int] = {"symbol": name, "interval": "1m", "startTime": start_ms, "limit": 5}
        candles = httpx.get(f"{paper.real.url}/api/v3/klines", params=params, timeout=10).json()
        low, high = min(Decimal(row[3]) for row in candles), max(Decimal(row[2]) for row in candles)
        assert low * Decimal("0.998") <= fill.price <= high * Decimal("1.002"), fill


def test_ledger_and_paper_account_agree(paper: OnPaper) -> None:
    awaited(paper.stack.ledger_equals_exchange, 60, "ledger and exchange agree", paper.stack, EXCHANGE_POLL_S)


def test_the_real_exchange_gave_the_bars_and_the_paper_one_says_whom_it_follows(paper: OnPaper) -> None:
    figures = {row.source: row for row in Figures(paper.stack.home.source_figures, 7).snapshot()}
    assert figures["binance-sim"].answered > 0
    assert figures[CASCADE].requests > 0
    token = secrets_from({}, paper.stack.home).exchange_api_secret
    url = f"{paper.stack.stack_file()['exchange_url']}/sim/state"
    state = httpx.get(url, headers={"X-SIM-TOKEN": token}, timeout=10).json()
    assert state["market"] == {"kind": "paper", "paper": "binance", "feed": paper.real.url}


def test_nothing_was_sent_to_the_real_exchange(paper: OnPaper) -> None:
    state = httpx.get(f"{paper.real.url}/sim/state", headers={"X-SIM-TOKEN": SECRET}, timeout=10).json()
    assert state["orders"] == 0
