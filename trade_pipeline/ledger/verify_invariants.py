"""Invariants of RELIABILITY that rows can show: each a query for what breaks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from sqlalchemy import Connection, text

from trade_pipeline.ledger.findings import NAMED_MAX, Finding
from trade_pipeline.schemas.order_states import STEPS
from trade_pipeline.schemas.trading import LIVE_STATES, PROTECTIVE, OrderState

_LIVE = "state IN ({})".format(", ".join(f"'{state}'" for state in sorted(LIVE_STATES)))
_PROTECTS = "role IN ({})".format(", ".join(f"'{role}'" for role in sorted(PROTECTIVE)))
_LISTED = {(str(one), str(two)) for one, following in STEPS.items() for two in following}

ROWS_AT_ONCE = 2000
INVARIANTS: Mapping[str, str] = {
    # 3
    "a trade is booked twice": """
        SELECT account || ' ' || symbol || ' ' || trade_id AS place, count(*) || ' times' AS detail
        FROM ledger.fills GROUP BY account, symbol, trade_id HAVING count(*) > 1""",
    # 4
    "an order is filled beyond its amount": """
        SELECT client_order_id AS place, filled || ' of ' || amount AS detail FROM ledger.orders
        WHERE filled > amount""",
    # 5
    "two orders of one intent are live": f"""
        SELECT intent_id AS place, string_agg(client_order_id, ', ' ORDER BY client_order_id) AS detail
        FROM ledger.orders WHERE {_LIVE} GROUP BY intent_id HAVING count(*) > 1""",  # noqa: S608  constants
    "two orders of one role are live": f"""
        SELECT account || ' ' || symbol || ' ' || role AS place,
        string_agg(client_order_id, ', ' ORDER BY client_order_id) AS detail
        FROM ledger.orders WHERE {_LIVE} GROUP BY account, symbol, role HAVING count(*) > 1""",  # noqa: S608  constants
    "live sells exceed the managed position": f"""
        SELECT s.account || ' ' || s.symbol AS place, s.selling || ' of ' || coalesce(p.amount, 0) AS detail
        FROM (SELECT account, symbol,
              coalesce(sum(greatest(amount - filled, 0)) FILTER (WHERE NOT {_PROTECTS}), 0)
              + coalesce(max(greatest(amount - filled, 0)) FILTER (WHERE {_PROTECTS}), 0) AS selling
              FROM ledger.orders WHERE side = 'sell' AND {_LIVE} GROUP BY account, symbol) s
        LEFT JOIN ledger.positions p USING (account, symbol) WHERE s.selling > coalesce(p.amount, 0)""",  # noqa: S608  constants
    "a buy of ours crosses a sell of ours": f"""
        SELECT b.account || ' ' || b.symbol AS place,
        b.client_order_id || ' at ' || b.price || ' buys from ' || s.client_order_id || ' at ' || s.price AS detail
        FROM ledger.orders b JOIN ledger.orders s USING (account, symbol)
        WHERE b.side = 'buy' AND s.side = 'sell' AND b.price >= s.price AND b.stop_price IS NULL
        AND s.stop_price IS NULL AND b.{_LIVE} AND s.{_LIVE}""",  # noqa: S608  constants
    # 6
    "an order has no intent": """
        SELECT o.client_order_id AS place, o.intent_id AS detail FROM ledger.orders o
        LEFT JOIN ledger.intents i USING (intent_id) WHERE i.intent_id IS NULL OR i.created_at > o.planned_at""",
    # 7
    "an exchange's id belongs to two orders": """
        SELECT account || ' ' || symbol || ' ' || venue_order_id AS place,
        string_agg(client_order_id, ', ' ORDER BY client_order_id) AS detail FROM ledger.orders
        WHERE venue_order_id IS NOT NULL GROUP BY account, symbol, venue_order_id HAVING count(*) > 1""",
    "an order had two ids at the exchange": """
        SELECT client_order_id AS place, string_agg(DISTINCT venue_order_id, ', ') AS detail
        FROM ledger.order_events WHERE venue_order_id IS NOT NULL
        GROUP BY client_order_id HAVING count(DISTINCT venue_order_id) > 1""",
    # 21
    "an order's state is not its last event's": """
        SELECT o.client_order_id AS place, o.state || ', last event ' || e.state AS detail FROM ledger.orders o
        JOIN LATERAL (SELECT state FROM ledger.order_events e WHERE e.client_order_id = o.client_order_id
        ORDER BY id DESC LIMIT 1) e ON true WHERE e.state <> o.state""",
    # 25
    "sleeves do not add up to the position": """
        SELECT p.account || ' ' || p.symbol AS place, p.amount || ' held, sleeves ' || coalesce(s.total, 0) AS detail
        FROM ledger.positions p LEFT JOIN (SELECT account, symbol, sum(amount) AS total FROM ledger.sleeves
        GROUP BY account, symbol) s USING (account, symbol) WHERE p.amount <> coalesce(s.total, 0)""",
}
"""What is broken -> a query for `place` and `detail` of where it is, by the number of the invariant."""


def broken_invariants(connection: Connection) -> Iterator[Finding]:
    for kind, query in INVARIANTS.items():
        for row in connection.execute(text(f"{query} LIMIT {NAMED_MAX}")):
            yield Finding(kind, str(row.place), str(row.detail))
    yield from _steps(connection)


def _steps(connection: Connection) -> Iterator[Finding]:
    """Invariant 8: each order took only listed steps."""
    query = """
SELECT client_order_id, array_agg(state ORDER BY id) AS states FROM ledger.order_events GROUP BY client_order_id
"""
    for row in connection.execute(text(query), execution_options={"yield_per": ROWS_AT_ONCE}):
        if row.states[0] != str(OrderState.PLANNED):
            yield Finding("an order does not begin as PLANNED", row.client_order_id, row.states[0])
        for one, two in pairwise(row.states):
            if one != two and (one, two) not in _LISTED:
                yield Finding("a step that is not listed", row.client_order_id, f"{one} -> {two}")
