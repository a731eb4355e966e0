"""What a day of each table of the lake must be, as plain values: kind of expectation and its arguments.

Said again from what the tables mean, not from the rules of `quality` or the models of `schemas`: an audit that shares
their code would share their mistakes. Kinds are the names of Great Expectations' own gallery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trade_pipeline.schemas import frames

MINUTES_A_DAY = 1440
COMPLETE_SHARE_MIN = 0.999
"""Share of symbols and minutes of a day that must be there; the bars of a new listing begin later."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One line of a suite."""

    kind: str
    arguments: Mapping[str, object] = field(default_factory=dict)


def suites(symbols: int) -> Mapping[str, Sequence[Expectation]]:
    """By table; `symbols` is the number that the day was decided on; where nobody knows it at least 1, so
    that a day of nothing is a finding."""
    return {
        "bars": [
            _columns(list(frames.JUDGED_BARS)),
            *_filled("symbol", "open_time", "close_time", "open", "high", "low", "close", "volume", "source"),
            _unique("symbol", "open_time"),
            *(_between(price, above=0) for price in ("open", "high", "low", "close")),
            *(_not_below(larger, smaller) for larger, smaller in _ENCLOSED),
            _between("volume", least=0),
            _between("quote_volume", least=0),
            _between("trades", least=0),
            _not_below("close_time", "open_time", equal=False),
            Expectation(
                "ExpectTableRowCountToBeBetween",
                {
                    "min_value": int(symbols * MINUTES_A_DAY * COMPLETE_SHARE_MIN),
                    "max_value": symbols * MINUTES_A_DAY,
                },
            ),
        ],
        "features": [
            _columns(list(frames.FEATURES)),
            *_filled("symbol", "open_time", "close"),
            _unique("symbol", "open_time"),
            _between("rsi", least=0, most=100),
            _between("adx", least=0, most=100),
            _between("atr", least=0),
            _between("realised_volatility", least=0),
            _between("idle_ratio", least=0, most=1),
            _not_below("bollinger_upper", "bollinger_lower"),
            _not_below("donchian_high", "donchian_low"),
        ],
        "signals": [
            _columns(list(frames.SIGNALS)),
            *_filled("symbol", "open_time", "strategy", "reason"),
            _unique("symbol", "open_time", "strategy"),
            _between("score", least=-1, most=1),
            _between("confidence", least=0, most=1),
            _among("regime", frames.REGIME_NAMES),
        ],
        "target_positions": [
            _columns(list(frames.TARGETS)),
            *_filled("decision_id", "as_of", "symbol", "kind", "expires_at", "reason"),
            _unique("decision_id", "symbol"),
            _among("kind", ("SET", "FLAT", "HOLD")),
            _between("quantity", least=0),
            _between("price", above=0),
            _between("weight", least=0, most=1),
            _not_below("expires_at", "as_of", equal=False),
        ],
    }


_ENCLOSED = (("high", "open"), ("high", "close"), ("high", "low"), ("open", "low"), ("close", "low"))


def _columns(names: list[str]) -> Expectation:
    return Expectation("ExpectTableColumnsToMatchSet", {"column_set": names, "exact_match": True})


def _filled(*names: str) -> list[Expectation]:
    return [Expectation("ExpectColumnValuesToNotBeNull", {"column": name}) for name in names]


def _unique(*names: str) -> Expectation:
    return Expectation("ExpectCompoundColumnsToBeUnique", {"column_list": list(names)})


def _among(column: str, values: Sequence[str]) -> Expectation:
    return Expectation("ExpectColumnValuesToBeInSet", {"column": column, "value_set": list(values)})


def _between(
    column: str, *, least: float | None = None, most: float | None = None, above: float | None = None
) -> Expectation:
    """Nulls are what warm-up leaves, and pass."""
    limits = {"min_value": above if above is not None else least, "max_value": most, "strict_min": above is not None}
    return Expectation("ExpectColumnValuesToBeBetween", {"column": column, **limits})


def _not_below(larger: str, smaller: str, *, equal: bool = True) -> Expectation:
    return Expectation(
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {"column_A": larger, "column_B": smaller, "or_equal": equal, "ignore_row_if": "either_value_is_missing"},
    )
