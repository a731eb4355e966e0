"""Every metric that can be scraped. What is not in this table is not told, and a test holds the documents to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    GAUGE = "gauge"
    COUNTER = "counter"
    """Never becomes smaller as long as the home, or the ledger, is the same."""
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric. A counter's name ends in `_total`; units are in names: seconds, ratio, and quote for money."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    what: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one metric at the moment of a scrape. `labels` in the order of the metric's own."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Classes:
    """A histogram's: cumulative counts by upper end in the metric's unit, the last end infinite, and the sum."""

    name: str
    counts: tuple[tuple[float, int], ...]
    sum: float
    labels: tuple[str, ...] = ()


PREFIX = "trade_pipeline_"
FAILED = "collect_failed"
_G, _C, _H = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM

_SPECS = (
    Spec("stack_info", _G, ("version", "mode", "quote_asset"), "1, for what its labels say of the stack"),
    Spec("paused", _G, (), "1 while increases of positions are paused"),
    Spec("last_decision_age_seconds", _G, (), "Since the close of the bar that was decided on last"),
    Spec("last_decision_latency_seconds", _G, (), "From that bar's close to its decision"),
    Spec("positions", _G, (), "Managed positions"),
    Spec("position_cost_quote", _G, ("symbol",), "What the position's present amount cost"),
    Spec("position_protection", _G, ("symbol", "protection"), "1 for what rests on the exchange: stop, profit or none"),
    Spec("unprotected_positions", _G, (), "Managed positions for which nothing protective rests, residues included"),
    Spec("open_orders", _G, ("role",), "Orders that may still change a position"),
    Spec("unknown_orders", _G, (), "Orders of which it is not known whether the exchange has them"),
    Spec("open_conflicts", _G, (), "Differences between ledger and exchange that are not settled"),
    Spec("open_conflicts_by_kind", _G, ("kind",), "The same, of the kinds of which there are some"),
    Spec("breaker_state", _G, ("scope", "state"), "1 for the state of the account's breaker, and of each symbol's"),
    Spec("locks", _G, (), "Pairs of strategy and symbol that may not buy now"),
    Spec("recoveries_total", _C, ("component", "error", "action", "outcome"), "Errors answered: recovered or failed"),
    Spec("equity_quote", _G, (), "Cash and positions at the newest point of the equity curve"),
    Spec("equity_age_seconds", _G, (), "Since that point"),
    Spec("cash_quote", _G, (), "Cash at that point"),
    Spec("drawdown_ratio", _G, (), "How far that equity is below its highest, 0 to 1"),
    Spec("realised_quote", _G, (), "Realised profit since the opening"),
    Spec("unrealised_quote", _G, (), "Profit of what is held at that point"),
    Spec("fees_quote", _G, (), "Fees since the opening"),
    Spec("source_requests_total", _C, ("source",), "Symbols that a source of bars was asked for"),
    Spec("source_failures_total", _C, ("source", "error"), "Those that it did not answer, by the error's class"),
    Spec("source_answered_ratio", _G, ("source",), "Share answered within the last hour; absent without requests"),
    Spec("source_latency_seconds", _H, ("source",), "How long the answers took"),
    Spec("source_breaker_state", _G, ("source", "state"), "1 for the state that its breaker was last told to be in"),
    Spec("bar_answers_total", _C, ("tier",), "Symbols answered: primary, secondary, fresh_cache or stale_cache"),
    Spec("bar_answers_missing_total", _C, ("error",), "Symbols that no source and nothing kept answered"),
    Spec("bar_answered_ratio", _G, (), "Share of all symbols answered within the last hour, whoever answered"),
    Spec("quality_score", _G, ("symbol",), "Score of the newest day that was judged, 0 to 1"),
    Spec("quality_held", _G, ("symbol",), "1 while the symbol is in quarantine"),
    Spec("quality_age_seconds", _G, (), "Since the close of the last bar that was judged"),
    Spec("process_up", _G, ("process",), "1 while the supervisor has the process running; absent without a supervisor"),
    Spec("process_started_timestamp_seconds", _G, ("process",), "When it was started last, since the epoch"),
    Spec("beat_age_seconds", _G, ("process",), "Since the loop of a worker or of the guard went round"),
    Spec("guard_cycle_age_seconds", _G, ("process",), "Since it last told the ledger that it lives"),
    Spec("sign_of_life_age_seconds", _G, ("process", "sign"), "Age of what is nearest to its limit, for the watchdog"),
    Spec("sign_of_life_limit_seconds", _G, ("process", "sign"), "Beyond which the watchdog restarts the process"),
    Spec(FAILED, _G, ("part",), "1 where this part could not be read; its metrics are missing then"),
    Spec("collect_duration_seconds", _G, ("part",), "How long it took to read this part"),
)

SPECS: Mapping[str, Spec] = {spec.name: spec for spec in _SPECS}
"""By name without PREFIX."""
