"""A story as text for people: cause first, effect last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Story = Mapping[str, Any]
_WIDTH = 22


def told(story: Story) -> Iterator[str]:
    """Lines. Nothing is left out silently: what could not be read is said at the end."""
    order = story["order"]
    yield f"{order['role']} order {order['client_order_id']}: {_request(order)}, {order['state']}"
    cause = story.get("caused_by")
    if cause:
        yield f"It follows from the entry {cause['order']['client_order_id']}: {_request(cause['order'])}"
    yield from _decision(story.get("decision") or (cause or {}).get("decision"))
    yield from _recorded(story.get("recorded_bar"))
    yield from _data(story.get("data") or {})
    yield from _checks(story.get("checks") or [])
    yield from _pairs("target", story.get("target") or (cause or {}).get("target"))
    yield from _guards(story.get("guards") or [], order["symbol"])
    yield from _outcomes(story.get("outcomes") or (cause or {}).get("outcomes") or [])
    yield from _pairs("intent", story.get("intent"))
    yield from _events(story)
    yield from _fills(story.get("fills") or [])
    yield from _pairs("position now", story.get("position"))
    yield from _pairs("sleeves", story.get("sleeves"))
    for missing in story.get("unavailable", []):
        yield f"not known: {missing}"


def _request(order: Story) -> str:
    request = order["request"]
    prices = [f"{word} {request[key]}" for word, key in (("at", "price"), ("stop", "stop_price")) if request.get(key)]
    return " ".join([request["side"], str(request["amount"]), request["symbol"], request["type"], *prices])


def _decision(decision: Story | None) -> Iterator[str]:
    if not decision:
        return
    yield "decision"
    for name in ("decision_id", "as_of", "decided_at", "run_id", "settings_hash", "code_version", "snapshot_id"):
        yield _pair(name, decision.get(name))
    yield "inputs"
    for table, known in (decision.get("inputs") or {}).items():
        yield _pair(table, "  ".join(f"{name} {value}" for name, value in known.items()))


def _recorded(answer: Any) -> Iterator[str]:
    if not isinstance(answer, Mapping):
        return
    if answer.get("kind") == "replay":
        yield "recorded bar"
        for name, value in answer.items():
            if not isinstance(value, Mapping | list):
                yield _pair(name, value)
    else:
        yield "market"
        yield _pair("kind", "seeded: there is no recording behind this bar")


def _data(data: Story) -> Iterator[str]:
    for table, rows in data.items():
        yield table if rows else f"{table}: no row as it was known then"
        for row in rows:
            hidden = ("open_time", "close_time") if table != "bars" else ()
            shown = [f"{name} {value}" for name, value in row.items() if name not in hidden]
            yield "  " + "  ".join(shown)


def _checks(checks: list[Story]) -> Iterator[str]:
    if checks:
        failed = [item for item in checks if item["status"] != "SUCCEEDED"]
        yield f"checks: {len(checks) - len(failed)} of {len(checks)} passed"
        for item in checks:
            yield _pair(f"{item['asset']}", f"{item['check']} {item['status']} {item['what']}".rstrip())


def _guards(verdicts: list[Story], symbol: str) -> Iterator[str]:
    """All that was said of this symbol; of the decision's others only what was refused."""
    mine = [item for item in verdicts if item["symbol"] == symbol]
    if mine:
        yield f"buy guards: {sum(item['passed'] for item in mine)} of {len(mine)} passed"
        for item in mine:
            yield _pair(item["guard"], _verdict(item))
    others = [item for item in verdicts if item["symbol"] != symbol and not item["passed"]]
    if others:
        yield "refused by a buy guard in the same decision"
        for item in others:
            yield _pair(item["symbol"], f"{item['guard']}: {_verdict(item)}")


def _verdict(item: Story) -> str:
    return f"{'passed ' if item['passed'] else 'refused'} {item['value']}, limit {item['limit']}: {item['reason']}"


def _outcomes(outcomes: list[Story]) -> Iterator[str]:
    if outcomes:
        yield "what came of it"
        for item in outcomes:
            yield _pair(item["stage"], f"{item['outcome']} ({item['at']})")


def _events(story: Story) -> Iterator[str]:
    yield "order"
    order = story["order"]
    for name in ("venue_order_id", "attempt", "filled", "quote_filled"):
        yield _pair(name, order.get(name))
    for event in story.get("order_events") or []:
        yield _pair(event["state"], f"{event['at']} {event['evidence']}")


def _fills(fills: list[Story]) -> Iterator[str]:
    if fills:
        yield "fills"
    for fill in fills:
        said = (
            f"{fill['side']} {fill['amount']} at {fill['price']}, fee {fill['fee']} {fill['fee_asset']}, {fill['at']}"
        )
        yield _pair(f"trade {fill['trade_id']}", said)


def _pairs(title: str, values: Any) -> Iterator[str]:
    if not isinstance(values, Mapping) or not values:
        return
    yield title
    for name, value in values.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {item}" for key, item in value.items())  # noqa: PLW2901
        if value not in (None, ""):
            yield _pair(name, value)


def _pair(name: str, value: object) -> str:
    return f"  {name:<{_WIDTH}} {value}"
