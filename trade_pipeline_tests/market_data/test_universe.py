"""The scan leaves out what fails a filter and says why, ranks the rest, and history sees the universe of its day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from trade_pipeline.market_data.lake import Lake
from trade_pipeline.market_data.universe import chosen, chosen_in_day, screen
from trade_pipeline.schemas import frames
from trade_pipeline.settings.universe import UniverseSettings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def tickers(**volumes: float | None) -> pl.DataFrame:
    """Symbols A/USDT, B/USDT ... with these volumes of a day, a spread of 0.001 and a range of 0.1."""
    return pl.DataFrame(
        [(f"{name}/USDT", 100.0, 99.95, 100.05, 110.0, 100.0, volume) for name, volume in volumes.items()],
        schema=frames.DAY_TICKERS,
        orient="row",
    )


def scan(
    found: pl.DataFrame, settings: UniverseSettings | None = None, *, most: int = 2, before: tuple[str, ...] = (),
    at: datetime = NOON, listed: dict[str, datetime] | None = None, active: tuple[str, ...] | None = None,
) -> pl.DataFrame:  # fmt: skip
    return screen(
        found,
        found.get_column("symbol").to_list() if active is None else active,
        settings or UniverseSettings(),
        scanned_at=at,
        symbols_max=most,
        listed_at=listed or {},
        before=before,
    )


def selected(frame: pl.DataFrame) -> list[str]:
    return frame.filter("selected").get_column("symbol").to_list()


def reason(frame: pl.DataFrame, symbol: str) -> str:
    return str(frame.filter(pl.col("symbol") == symbol).item(0, "reason"))


def test_the_most_traded_are_chosen_and_the_others_told_their_rank() -> None:
    found = scan(tickers(A=10.0, B=30.0, C=20.0, D=20.0))
    assert selected(found) == ["B/USDT", "C/USDT"]
    assert dict(found.select("symbol", "rank").iter_rows()) == {"A/USDT": 4, "B/USDT": 1, "C/USDT": 2, "D/USDT": 3}
    assert reason(found, "D/USDT") == "rank 3 by volume, 2 are traded"


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"blacklist": ("A*",)}, "on the blacklist"),
        ({"day_volume_quote_min": 11}, "volume of 24 hours is 10.0, must be at least 11"),
        ({"spread_ratio_max": 0.0005}, "spread is 0.001, must be at most 0.0005"),
        ({"day_range_ratio_min": 0.2}, "range of 24 hours is 0.1, must be at least 0.2"),
        ({"day_range_ratio_max": 0.05}, "range of 24 hours is 0.1, must be at most 0.05"),
        ({"price_min": 101}, "price is 100.0, must be at least 101"),
        ({"price_max": 99}, "price is 100.0, must be at most 99"),
        ({"age_days_min": 30}, "age in days is 7.0, must be at least 30"),
    ],
)
def test_each_filter_names_the_value_and_the_limit(limits: dict[str, object], words: str) -> None:
    week_old = {"A/USDT": NOON - timedelta(days=7)}
    found = scan(tickers(A=10.0), UniverseSettings.model_validate(limits), listed=week_old)
    assert selected(found) == []
    assert reason(found, "A/USDT") == words
    assert found.item(0, "rank") is None


def test_what_is_not_known_does_not_pass() -> None:
    assert "unknown" in reason(scan(tickers(A=None)), "A/USDT")
    assert "age in days is unknown" in reason(scan(tickers(A=1.0), UniverseSettings(age_days_min=1)), "A/USDT")
    found = scan(tickers(B=1.0), active=("A/USDT", "B/USDT"))
    assert selected(found) == ["B/USDT"]
    assert "unknown" in reason(found, "A/USDT")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("column", ["day_volume_quote", "price", "bid", "high"])
def test_what_is_no_number_is_not_known(column: str, number: float) -> None:
    found = scan(tickers(A=10.0, B=1.0).with_columns(_in_row_of("A/USDT", column, number)), UniverseSettings())
    assert selected(found) == ["B/USDT"]
    assert "unknown" in reason(found, "A/USDT") and found.item(0, "rank") is None


def _in_row_of(symbol: str, column: str, value: float) -> pl.Expr:
    return pl.when(pl.col("symbol") == symbol).then(pl.lit(value)).otherwise(column).alias(column)


def test_a_symbol_at_the_edge_stays_until_it_is_well_behind() -> None:
    market = tickers(A=40.0, B=30.0, C=20.0, D=10.0)
    wide = UniverseSettings(stays_rank_ratio=1.5)
    assert selected(scan(market, wide, before=("A/USDT", "C/USDT"))) == ["A/USDT", "C/USDT"]
    assert selected(scan(market, wide, before=("A/USDT", "D/USDT"))) == ["A/USDT", "B/USDT"]
    assert selected(scan(market, UniverseSettings(stays_rank_ratio=1), before=("A/USDT", "C/USDT"))) == [
        "A/USDT",
        "B/USDT",
    ]


def test_a_delisted_symbol_leaves_and_is_told() -> None:
    found = scan(tickers(A=40.0, B=30.0), active=("B/USDT",), before=("A/USDT", "B/USDT"))
    assert selected(found) == ["B/USDT"]
    assert reason(found, "A/USDT") == "not traded on the exchange any more"


def test_history_sees_the_universe_of_its_moment(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert chosen(lake, NOON) is None
    for at, volumes in ((NOON, {"A": 2.0, "B": 1.0}), (NOON + HOUR, {"A": 1.0, "B": 2.0})):
        found = scan(tickers(**volumes), UniverseSettings(stays_rank_ratio=1), most=1, at=at)
        lake.append("universe", found, ("scanned_at", "symbol"), at)
    assert chosen(lake, NOON - HOUR) is None
    assert chosen(lake, NOON + HOUR / 2) == ("A/USDT",)
    assert chosen(lake, NOON + HOUR) == ("B/USDT",)
    assert chosen(lake, NOON + timedelta(days=1)) == ("B/USDT",)
    assert chosen(lake, NOON + timedelta(days=40)) == ("B/USDT",), "after a pause the newest scan counts"
    assert chosen_in_day(lake, "2026-03-01", NOON + HOUR / 2) == ("A/USDT",)
    assert chosen_in_day(lake, "2026-03-01", NOON + 2 * HOUR) == ("A/USDT", "B/USDT")
    assert chosen_in_day(lake, "2026-03-02", NOON + timedelta(days=1)) == ("B/USDT",)
    assert chosen_in_day(lake, "2026-02-28", NOON - timedelta(days=1)) is None


@pytest.mark.parametrize(
    "limits", [{"price_min": 2, "price_max": 1}, {"day_range_ratio_min": 0.5, "day_range_ratio_max": 0.4}]
)
def test_limits_in_the_wrong_order_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="must be below"):
        UniverseSettings.model_validate(limits)
