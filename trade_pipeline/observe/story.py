"""The story of an order: the ledger's chain, and beside it what the lake, Dagster and the exchange know of it.

Every part is optional: what cannot be read is named in `unavailable`, never guessed.
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from trade_pipeline.errors import TradePipelineError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.rows import plain
from trade_pipeline.observe.checks import checks_of_run
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import Secrets
from trade_pipeline.settings.root import Settings

_BAR = timedelta(minutes=1)
_TABLES = ("bars", "features", "regimes", "signals")
_ANSWER_S = 2.0

Story = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a story is read. `exchange_url` is None when no stack runs."""

    home: Home
    settings: Settings
    secrets: Secrets
    ledger: Ledger
    exchange_url: str | None


def story_of(order_id: str, sources: Sources) -> Story:
    """Keys of `Ledger.explain`, and: caused_by (the entry of a protective order), guards (what the buy guards said of
    every symbol of the decision), data, checks, recorded_bar, unavailable. LedgerError when no order has that id."""
    story: Story = dict(sources.ledger.explain(order_id))
    story["unavailable"] = []
    if not story.get("decision"):
        story["caused_by"] = _entry_before(story, sources)
    decision = story.get("decision") or (story.get("caused_by") or {}).get("decision")
    if decision:
        symbol = story["order"]["symbol"]
        _add(story, "guards", lambda: plain(sources.ledger.verdicts(decision["decision_id"])))
        _add(story, "data", lambda: _data(decision, symbol, sources))
        _add(story, "checks", lambda: _checks(story, decision, sources))
        _add(story, "recorded_bar", lambda: _recorded_bar(decision, symbol, sources))
    return story


def _add(story: Story, name: str, read: Callable[[], object]) -> None:
    try:
        story[name] = read()
    except (TradePipelineError, OSError, ValueError) as error:
        story["unavailable"].append(f"{name}: {error}")


def _checks(story: Story, decision: Mapping[str, Any], sources: Sources) -> list[dict[str, str]]:
    """Of Dagster's record, or of the ledger's note of it once the run was removed by age, which is said."""
    checks = checks_of_run(sources.secrets.ledger_url, decision["run_id"])
    if checks:
        return checks
    kept = sources.ledger.kept_checks(decision["decision_id"])
    told = "removed by age; its checks are told as the ledger kept them" if kept else "not there"
    story["unavailable"].append(f"run {decision['run_id']}: Dagster's record of it is {told}")
    return kept


def _entry_before(story: Story, sources: Sources) -> Story | None:
    """The decided order that opened what this one protects or closes."""
    order = story["order"]
    planned_at = datetime.fromisoformat(order["planned_at"])
    for earlier in sources.ledger.orders(order["account"], limit=1000):
        if earlier.symbol != order["symbol"] or earlier.planned_at > planned_at or earlier.role.value != "entry":
            continue
        chain = sources.ledger.explain(earlier.client_order_id)
        return {name: chain[name] for name in ("order", "intent", "decision", "target", "outcomes", "fills")}
    return None


def _data(decision: Mapping[str, Any], symbol: str, sources: Sources) -> Story:
    """Rows of the decided bar in each table, as they were known when it was decided."""
    import polars as pl

    from trade_pipeline.market_data.lake import lake_of

    lake = lake_of(sources.settings.storage, sources.home)
    opened_at = datetime.fromisoformat(decision["as_of"]) - _BAR
    decided_at = datetime.fromisoformat(decision["decided_at"])
    rows: Story = {}
    for table in _TABLES:
        frame = lake.read(table, [decision["partition"]], as_seen=decided_at)
        found = frame.filter((pl.col("symbol") == symbol) & (pl.col("open_time") == opened_at)).to_dicts()
        rows[table] = [{name: _plain(value) for name, value in row.items() if name != "symbol"} for row in found]
    return rows


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return round(value, 8) if isinstance(value, float) else value


def _recorded_bar(decision: Mapping[str, Any], symbol: str, sources: Sources) -> object:
    """What the exchange played in the decided minute: a recorded bar's time, or that the market is seeded."""
    if sources.exchange_url is None or sources.settings.mode != "sim":
        # Only the simulated exchange has recordings, and no other one may be shown the secret.
        raise OSError("no stack runs" if sources.settings.mode == "sim" else "the exchange is a real one")
    opened_at = datetime.fromisoformat(decision["as_of"]) - _BAR
    query = urllib.parse.urlencode({"symbol": symbol.replace("/", ""), "minute": opened_at.isoformat()})
    request = urllib.request.Request(  # noqa: S310  (our own exchange, on the loopback)
        f"{sources.exchange_url}/sim/mapping?{query}", headers={"X-SIM-TOKEN": sources.secrets.exchange_api_secret}
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=_ANSWER_S) as answer:
        return json.load(answer)
