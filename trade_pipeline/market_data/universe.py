"""Which symbols are worth a decision: the scan's filters and rank, and what was chosen at a moment of the past.

Pure, but for what reads the scans that the lake holds: `chosen`, `chosen_in_day`, `known_of_day`, `first_bars`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase

import polars as pl

from trade_pipeline.market_data.lake import Lake
from trade_pipeline.schemas import frames
from trade_pipeline.settings.root import Settings
from trade_pipeline.settings.universe import UniverseSettings

DAY_S = 86_400


def screen(
    tickers: pl.DataFrame,
    active: Collection[str],
    settings: UniverseSettings,
    *,
    scanned_at: datetime,
    symbols_max: int,
    listed_at: Mapping[str, datetime],
    before: Collection[str] = (),
) -> pl.DataFrame:
    """A UNIVERSE frame with a row for each symbol of `active` or `before`, sorted by symbol.

    `tickers` are DAY_TICKERS. A symbol that has none, or of which a filter's value is not known, fails that filter.
    Those that pass are ranked by `day_volume_quote` (ties by name); the first `symbols_max` are selected, but one that
    was selected `before` stays while its rank is within `symbols_max * stays_rank_ratio`, so that two symbols at the
    edge do not change places every hour. A symbol of `before` that is not active any more is delisted, and left out.
    """
    known = _measured(tickers, active, before, listed_at, scanned_at)
    judged = known.with_columns(_reason(settings, active).alias("reason"))
    passes = pl.col("reason") == ""
    rank = pl.struct(-pl.col("day_volume_quote"), "symbol").rank("ordinal").over(passes)
    ranked = judged.with_columns(pl.when(passes).then(rank).cast(pl.Int32).alias("rank"))
    return _select(ranked, settings, symbols_max, before).select(
        pl.col(name).cast(dtype) for name, dtype in frames.UNIVERSE.items()
    )


def _measured(
    tickers: pl.DataFrame,
    active: Collection[str],
    before: Collection[str],
    listed_at: Mapping[str, datetime],
    scanned_at: datetime,
) -> pl.DataFrame:
    symbols = pl.DataFrame({"symbol": sorted({*active, *before})}, schema={"symbol": pl.String})
    listed = pl.DataFrame(
        {"symbol": list(listed_at), "listed_at": list(listed_at.values())},
        schema={"symbol": pl.String, "listed_at": frames.UTC_MS},
    )
    middle = (pl.col("ask") + pl.col("bid")) / 2
    # Polars sorts NaN above every number: it would be the largest volume, and no price too low.
    tickers = tickers.with_columns(pl.when(pl.col(pl.Float64).is_finite()).then(pl.col(pl.Float64)))
    return (
        symbols.join(tickers, on="symbol", how="left")
        .join(listed, on="symbol", how="left")
        .with_columns(
            frames.moment(scanned_at).alias("scanned_at"),
            ((pl.col("ask") - pl.col("bid")) / middle).alias("spread_ratio"),
            ((pl.col("high") - pl.col("low")) / pl.col("low")).alias("day_range_ratio"),
        )
        .sort("symbol")
    )


def _reason(settings: UniverseSettings, active: Collection[str]) -> pl.Expr:
    """The first filter that a symbol fails, in words with its value; empty where none."""
    age_days = (pl.col("scanned_at") - pl.col("listed_at")).dt.total_seconds() / DAY_S
    listed = pl.col("symbol").map_elements(
        lambda symbol: is_blacklisted(symbol, settings.blacklist), return_dtype=pl.Boolean
    )
    volume, spread, range_ = pl.col("day_volume_quote"), pl.col("spread_ratio"), pl.col("day_range_ratio")
    price = pl.col("price")
    filters: list[tuple[pl.Expr, pl.Expr]] = [
        (~pl.col("symbol").is_in(sorted(active)), pl.lit("not traded on the exchange any more")),
        (listed, pl.lit("on the blacklist")),
        (_not(price >= settings.price_min), _told("price", price, f"at least {settings.price_min:g}")),
        (_not(volume >= settings.day_volume_quote_min),
         _told("volume of 24 hours", volume, f"at least {settings.day_volume_quote_min:g}")),
        (_not(spread <= settings.spread_ratio_max), _told("spread", spread, f"at most {settings.spread_ratio_max:g}")),
        (_not(range_ >= settings.day_range_ratio_min),
         _told("range of 24 hours", range_, f"at least {settings.day_range_ratio_min:g}")),
        (_not(range_ <= settings.day_range_ratio_max),
         _told("range of 24 hours", range_, f"at most {settings.day_range_ratio_max:g}")),
    ]  # fmt: skip
    if settings.price_max is not None:
        filters.append((_not(price <= settings.price_max), _told("price", price, f"at most {settings.price_max:g}")))
    if settings.age_days_min:
        limit = f"at least {settings.age_days_min:g}"
        filters.append((_not(age_days >= settings.age_days_min), _told("age in days", age_days, limit)))
    return pl.coalesce(*(pl.when(fails).then(text) for fails, text in filters), pl.lit(""))


def is_blacklisted(symbol: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(symbol, pattern) for pattern in patterns)


def _not(holds: pl.Expr) -> pl.Expr:
    """Unknown counts as not holding."""
    return ~holds.fill_null(False)


def _told(name: str, value: pl.Expr, limit: str) -> pl.Expr:
    return pl.format(f"{name} is {{}}, must be {limit}", value.round_sig_figs(4).cast(pl.String).fill_null("unknown"))


def _select(
    ranked: pl.DataFrame, settings: UniverseSettings, symbols_max: int, before: Collection[str]
) -> pl.DataFrame:
    staying = pl.col("symbol").is_in(sorted(before)) & (pl.col("rank") <= symbols_max * settings.stays_rank_ratio)
    # Who was chosen before comes first; the free places are filled by rank.
    ranks = pl.col("rank").is_not_null()
    place = pl.struct((~staying).cast(pl.Int8), "rank").rank("ordinal").over(ranks)
    selected = ranks & (place <= symbols_max)
    full = pl.format("rank {} by volume, {} are traded", "rank", pl.lit(symbols_max))
    return ranked.with_columns(selected.alias("selected")).with_columns(
        pl.when(~pl.col("selected") & (pl.col("reason") == "")).then(full).otherwise("reason").alias("reason")
    )


def chosen(lake: Lake, as_of: datetime) -> tuple[str, ...] | None:
    """Symbols selected by the newest scan that was known by `as_of`, by name; None where there was none."""
    scans = _scans(lake, as_of.date(), as_of)
    if scans.is_empty():
        return None
    newest = scans.filter(pl.col("scanned_at") == pl.col("scanned_at").max())
    return tuple(newest.filter("selected").get_column("symbol").sort().to_list())


def chosen_in_day(lake: Lake, day: str, until: datetime) -> tuple[str, ...] | None:
    """Symbols that a decision of this UTC day could be taken on: selected at its beginning, or by a scan in it."""
    begin = datetime.fromisoformat(day).replace(tzinfo=until.tzinfo)
    at_first = chosen(lake, begin)
    within = _scans(lake, begin.date(), until).filter(pl.col("scanned_at") >= begin)
    if at_first is None and within.is_empty():
        return None
    return tuple(sorted({*(at_first or ()), *within.filter("selected").get_column("symbol")}))


def known_of_day(lake: Lake, settings: Settings, day: str, until: datetime | None = None) -> tuple[str, ...] | None:
    """Symbols of a UTC day up to `until`, or of the whole of it, by the settings, else by its scans; None where neither
    names any. No exchange is asked."""
    until = until or datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)
    return settings.market.symbols or (chosen_in_day(lake, day, until) if settings.universe.discovery else None)


def first_bars(lake: Lake, as_of: datetime) -> dict[str, datetime]:
    """Opens of first bars that earlier scans have asked for: they do not change, and asking costs a request each."""
    known = _scans(lake, as_of.date(), as_of).filter(pl.col("listed_at").is_not_null())
    return dict(known.group_by("symbol").agg(pl.col("listed_at").min()).iter_rows())


def _scans(lake: Lake, last: date, until: datetime) -> pl.DataFrame:
    """Scans of the newest day that has any that was known by `until`: every step of a decision must find the same.

    Scans are hourly, so today or the day before is usually enough.
    """
    for day in (str(last), str(last - timedelta(days=1)), *_older(lake, last)):
        scans = lake.read("universe", [day], as_seen=until).filter(pl.col("scanned_at") <= until)
        if not scans.is_empty():
            return scans
    return frames.empty(frames.UNIVERSE)


def _older(lake: Lake, last: date) -> list[str]:
    """The newest day with scans before those two, after a long pause."""
    return [day for day in lake.days("universe") if day < str(last - timedelta(days=1))][-1:]
