"""What the ledger alone can do: fills booked in pages, the whole of it proven, and what its chain of hashes costs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median

from sqlalchemy import create_engine, text

from trade_pipeline.bench.desk import in_haste
from trade_pipeline.bench.measure import Report
from trade_pipeline.bench.still_venue import ASK, FEE_RATE
from trade_pipeline.execution.ids import client_order_id
from trade_pipeline.ledger.chain_tables import CHAINED
from trade_pipeline.ledger.database import ledger_url as database_url
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import OrderState, OrderType, Role, Side, VenueOrder, VenueTrade

UPDATES_PER_MIN_FLOOR = 2_000.0
UPDATES_PER_S_AIM = 1_000.0
PAGE = 1_000
"""Trades in one page of an exchange's answer: what is booked in one transaction."""
PREFIX = "be4c"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured. The defaults are what the floors and the aim speak of."""

    positions: int = 1_000
    trades: int = 200
    fills: int = 10_000
    chain_fills: int = 1_000
    chain_orders: int = 100
    chain_rounds: int = 3


def measure_bookkeeping(report: Report, ledger: Ledger, url: str, symbols: Sequence[str], sizes: Sizes) -> None:
    """Adds the rows book, verify-ledger and the ratio chain. The ledger's chain has holes afterwards."""
    with in_haste(ledger, url):
        trades = _fills(ledger, "book", symbols, sizes.fills)
    with report.row("book", len(trades), "fills", floor_per_min=UPDATES_PER_MIN_FLOOR, aim_per_s=UPDATES_PER_S_AIM):
        _book(ledger, "book", trades)
    assert len(ledger.fills("book", limit=sizes.fills + 1)) == sizes.fills, "each is booked once"
    links = ledger.chain_head().number
    with report.row("verify-ledger", links, "links"):
        proof = ledger.verify()
    assert proof.proven, proof.findings
    _chain(report, ledger, url, symbols, sizes)


def _chain(report: Report, ledger: Ledger, url: str, symbols: Sequence[str], sizes: Sizes) -> None:
    """The same booking with and without the triggers that chain rows, in turns; the ratio of the medians."""
    took_s: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(sizes.chain_rounds * 2):
        chained = turn % 2 == 0
        account = f"chain-{turn}"
        with in_haste(ledger, url):
            trades = _fills(ledger, account, symbols[: sizes.chain_orders], sizes.chain_fills)
        with nullcontext() if chained else _without_chain(url):
            began = time.perf_counter()
            _book(ledger, account, trades)
            took_s[chained].append(time.perf_counter() - began)
    report.ratio("booking with the chain", median(took_s[True]) / median(took_s[False]))


@contextmanager
def _without_chain(url: str) -> Iterator[None]:
    """Rows that are written meanwhile enter no chain, for good: only on a ledger that is thrown away."""
    engine = create_engine(database_url(url))
    try:
        for switch in ("DISABLE", "ENABLE"):
            with engine.begin() as connection:
                for table in CHAINED:
                    connection.execute(text(f"ALTER TABLE ledger.{table} {switch} TRIGGER chained"))
            if switch == "DISABLE":
                yield
    finally:
        engine.dispose()


def _book(ledger: Ledger, account: str, trades: Sequence[VenueTrade]) -> None:
    for first in range(0, len(trades), PAGE):
        ledger.book_trades(account, trades[first : first + PAGE], prefix=PREFIX)


def _fills(ledger: Ledger, account: str, symbols: Sequence[str], count: int) -> list[VenueTrade]:
    """Trades of one order of ours for each symbol, in turns, as an exchange that is busy everywhere tells them."""
    now = datetime.now(UTC)
    each = -(-count // len(symbols))
    for number, symbol in enumerate(symbols):
        order = VenueOrder(
            order_id=str(number),
            client_order_id=client_order_id(PREFIX, account, symbol, 0),
            symbol=symbol,
            side=Side.BUY,
            type=OrderType.LIMIT,
            amount=Decimal(each),
            filled=Decimal(0),
            quote_filled=Decimal(0),
            state=OrderState.OPEN,
            venue_status="NEW",
            price=ASK,
            stop_price=None,
            created_at=now,
            updated_at=now,
        )
        ledger.adopt_order(account, order, role=Role.ENTRY, reason="measured")
    one = Decimal(1)
    return [
        VenueTrade(
            symbol=symbols[number % len(symbols)],
            trade_id=str(number + 1),
            order_id=str(number % len(symbols)),
            side=Side.BUY,
            price=ASK,
            amount=one,
            fee=FEE_RATE,
            fee_asset=symbols[number % len(symbols)].split("/")[0],
            at=now + timedelta(microseconds=number + 1),
            is_maker=False,
        )
        for number in range(count)
    ]
