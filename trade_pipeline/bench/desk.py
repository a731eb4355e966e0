"""A desk for benchmarks: the real execution and ledger on a throwaway PostgreSQL, with the exchange in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import create_engine, make_url, text

from trade_pipeline.bench.still_venue import ASK, BID, StillVenue, symbols_of
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.ids import client_order_id, intent_id
from trade_pipeline.ledger.database import ledger_url as database_url
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Intent, Target
from trade_pipeline.schemas.trading import OrderRequest, OrderType, Role, Side, TargetKind, TimeInForce
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings

STRATEGY = "bench"
STOP_DISTANCE = Decimal(5)


@contextmanager
def open_desk(ledger_url: str, positions: int) -> Iterator[tuple[Desk, StillVenue]]:
    """An account with quote alone, on an exchange of so many symbols."""

    def now() -> datetime:
        return datetime.now(UTC)

    with tempfile.TemporaryDirectory(prefix="tp-bench-") as folder:
        home = Home.at(folder)
        home.control.mkdir(parents=True)
        settings = Settings.model_validate({"home": folder, "execution": {"fill_wait_s_max": 0}})
        ledger = Ledger(ledger_url, now=now)
        venue = StillVenue(now, symbols_of(positions))
        ledger.record_opening(settings.account, venue.account())
        try:
            yield Desk(ledger, venue, settings, home, now), venue
        finally:
            ledger.close()


@contextmanager
def in_haste(ledger: Ledger, url: str) -> Iterator[None]:
    """For what is made before something is measured: commits inside do not wait for the disk."""
    name, engine = make_url(url).database, create_engine(database_url(url))
    try:
        for setting in ("SET synchronous_commit = off", "RESET synchronous_commit"):
            with engine.begin() as connection:
                connection.execute(text(f'ALTER DATABASE "{name}" {setting}'))
            ledger.close()  # connections keep the setting that they began with
            if setting.startswith("SET"):
                yield
    finally:
        engine.dispose()


def entry(desk: Desk, symbol: str, amount: Decimal) -> tuple[Intent, OrderRequest]:
    """A purchase that fills at once."""
    return _order(desk, symbol, Role.ENTRY, Side.BUY, amount)


def stop(desk: Desk, symbol: str, amount: Decimal) -> tuple[Intent, OrderRequest]:
    """A protective order that rests."""
    return _order(desk, symbol, Role.PROTECT, Side.SELL, amount)


def partial_exit(desk: Desk, symbol: str, amount: Decimal) -> tuple[Intent, OrderRequest]:
    """A sale above the market that rests."""
    return _order(desk, symbol, Role.EXIT, Side.SELL, amount)


def targets_for(desk: Desk, symbols: Sequence[str], decision_id: str, quantity: Decimal) -> list[Target]:
    """One SET target for each symbol, of which no order was made yet."""
    now = desk.now()
    return [
        Target(
            decision_id=decision_id,
            symbol=symbol,
            kind=TargetKind.SET,
            quantity=quantity,
            price=BID,
            stop_distance=STOP_DISTANCE,
            score=1.0,
            weight=None,
            strategy=STRATEGY,
            sleeves={STRATEGY: quantity},
            expires_at=now + timedelta(hours=1),
            reason="measured",
        )
        for symbol in symbols
    ]


def _order(desk: Desk, symbol: str, role: Role, side: Side, amount: Decimal) -> tuple[Intent, OrderRequest]:
    named = intent_id(desk.account, "bench", symbol, role)
    intent = Intent(
        intent_id=named,
        account=desk.account,
        decision_id=None,
        symbol=symbol,
        role=role,
        side=side,
        amount=amount,
        strategy=STRATEGY,
        sleeves={STRATEGY: Decimal(1)},
        reason="measured",
        decision_price=BID,
        stop_distance=STOP_DISTANCE,
        created_at=desk.now(),
    )
    limit, trigger, time_in_force = _TERMS[role]
    request = OrderRequest(
        client_order_id=client_order_id(desk.prefix, desk.account, named, 0),
        symbol=symbol,
        side=side,
        type=OrderType.LIMIT if trigger is None else OrderType.STOP_LOSS_LIMIT,
        amount=amount,
        price=limit,
        stop_price=trigger,
        time_in_force=time_in_force,
    )
    return intent, request


_TERMS: Mapping[Role, tuple[Decimal, Decimal | None, TimeInForce | None]] = {
    Role.ENTRY: (ASK, None, TimeInForce.IOC),
    Role.EXIT: (ASK + STOP_DISTANCE, None, None),
    Role.PROTECT: (BID - STOP_DISTANCE - 1, BID - STOP_DISTANCE, None),
}
"""Limit, trigger, time in force."""
