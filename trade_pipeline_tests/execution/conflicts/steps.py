"""The steps that tests of conflicts begin with."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.ledger.records import Conflict
from trade_pipeline.schemas.trading import OrderType, Side
from trade_pipeline.settings.positions import PositionSettings
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC
from trade_pipeline_tests.fakes import make_request
from trade_pipeline_tests.reliability.conftest import only_stop

THEIRS = "web_order_1"


def allow(room: Room, **settings: object) -> None:
    changed = room.desk.settings.model_copy(update={"positions": PositionSettings.model_validate(settings)})
    room.desk = replace(room.desk, settings=changed)


def holding(room: Room) -> Guard:
    """A guard of an account that has bought 1 BTC; its stop rests."""
    room.want("1")
    guard = room.guard()
    guard.cycle()
    return guard


def rows(room: Room, kind: str) -> list[Conflict]:
    """Of one kind, oldest first."""
    return [row for row in reversed(room.ledger.conflicts("main")) if row.kind == kind]


def outcomes(room: Room, kind: str) -> list[str]:
    return [row.outcome for row in rows(room, kind)]


def sell_by_hand(room: Room, amount: str) -> None:
    room.venue.cancel(BTC, only_stop(room).client_order_id)
    request = make_request(THEIRS, side=Side.SELL, type=OrderType.MARKET, price=None, amount=Decimal(amount))
    room.venue.create(request)
    room.venue.created.pop()
