"""What the tests of the recovery table look at: one purchase, what was opened, what was counted."""

from __future__ import annotations

from collections import Counter

from trade_pipeline.execution.ids import client_order_id, intent_id
from trade_pipeline.execution.sending.submit import send
from trade_pipeline.ledger.records import Lease, Order
from trade_pipeline.schemas.trading import Role
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC
from trade_pipeline_tests.fakes import START, make_intent, make_request

INTENT = intent_id("main", "decision", BTC, Role.ENTRY)
NAMED = client_order_id("7c01", "main", INTENT, 0)


def buy(room: Room, lease: Lease) -> Order:
    return send(room.desk, lease, make_intent(INTENT), make_request(NAMED))


def opened(room: Room) -> list[tuple[str, str]]:
    return [(row.scope, row.dimension) for row in room.ledger.breakers("main") if row.state == "OPEN"]


def counted(room: Room) -> Counter[tuple[str, str, str, bool]]:
    rows = room.ledger.recoveries(START.date())
    return Counter({(row.component, row.error, row.action, row.recovered): row.count for row in rows})
