"""Bars in the order in which rules read them, with the columns that several rules share; their names begin with _.

Nothing is judged here. A frame that is sorted already, as nearly all are, is not sorted again: that would take
longer than all rules together.
"""

from __future__ import annotations

import polars as pl

from trade_pipeline.quality.conventions import idle_is_missing
from trade_pipeline.quality.moves import robust_scale, with_outliers
from trade_pipeline.quality.rules import Scope
from trade_pipeline.schemas.frames import BARS, moment
from trade_pipeline.symbol_blocks import starts_of

FACTS = tuple(name for name in BARS if name != "source")
"""What a bar says happened; who says it is no difference."""
MEASURED = ("open", "high", "low", "close", "volume")
SESSION_HOLE_DAYS = 7
BLOCK_BARS = 2000
"""Bars whose usual move and volume a bar is held against."""


def prepare(bars: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """`bars` sorted by (symbol, open_time), equal keys in the order given, with what rules of rows read.

    _row: place in `bars`. _first: the symbol's first row. _late: it stood behind a later bar of its symbol.
    _before: opening of the row before, _missing: whole bars between the two that are not there, _idle: want of trades
    explains that. _copies: rows of the same key, _loser: another row of the key is fuller, _equal: all say the same.
    """
    rows = bars.rechunk().with_row_index("_row")
    first = _first_of(rows)
    if _in_order(rows, first):
        rows = rows.with_columns(pl.lit(False).alias("_late"), first)
    else:
        behind = (pl.col("open_time") < pl.col("open_time").shift(1).over("symbol")).fill_null(False)
        rows = rows.with_columns(behind.alias("_late")).sort("symbol", "open_time", maintain_order=True)
        rows = rows.with_columns(_first_of(rows))
    rows = rows.with_columns(_unless_first(pl.col("open_time").shift(1)).alias("_before"))
    return _with_copies(_with_idle(rows.with_columns(_missing(rows, scope).alias("_missing")), scope))


def _first_of(rows: pl.DataFrame) -> pl.Series:
    return starts_of(rows.get_column("symbol")).alias("_first")


def _in_order(rows: pl.DataFrame, first: pl.Series) -> bool:
    """Whether each symbol is in one piece, symbols and the times of each rise."""
    symbols = rows.get_column("symbol").filter(first)
    opened = rows.get_column("open_time")
    one_piece = symbols.is_sorted() and symbols.n_unique() == symbols.len()
    return one_piece and bool(((opened >= opened.shift(1)).fill_null(True) | first).all())


def _unless_first(values: pl.Expr) -> pl.Expr:
    return pl.when(~pl.col("_first")).then(values)


def _missing(rows: pl.DataFrame, scope: Scope) -> pl.Series:
    """Bars that are not there between a row and the one before, within [window_start, as_of); 0 where none is.

    Where only trading days have bars, up to SESSION_HOLE_DAYS without one are a weekend and its holidays.
    """
    none = pl.zeros(rows.height, dtype=pl.Int64, eager=True)
    # Divided is only where something may be missing: most rows follow the one before at once.
    steps_ms = rows.get_column("open_time").to_physical().diff()
    places = ((steps_ms >= 2 * scope.bar_length_ms) & ~rows.get_column("_first")).fill_null(False).arg_true()
    if places.is_empty():
        return none
    missing = pl.col("_step_ms") // scope.bar_length_ms - 1
    if scope.sessions:
        missing = pl.when(missing > SESSION_HOLE_DAYS).then(missing).otherwise(0)
    inside = (pl.col("_before") >= moment(scope.window_start)) & (pl.col("open_time") < moment(scope.as_of))
    wide = rows[places].with_columns(steps_ms.gather(places).alias("_step_ms"))
    holes = wide.select(pl.when(inside).then(missing).otherwise(0).cast(pl.Int64)).to_series()
    return none.scatter(places, holes)


def _with_idle(rows: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """_idle: the source leaves idle minutes out, and the hole is no longer than `idle_bars_max` or than the longest
    that chance makes of the share q of minutes that the symbol misses elsewhere: log(n) / -log(q) of n (Erdos and
    Renyi, 1970)."""
    holes = rows.filter(pl.col("_missing") > 0)
    if holes.is_empty():
        return rows.with_columns(pl.lit(False).alias("_idle"))
    # The longest hole does not speak for itself: an outage among a few bars would be what makes such holes likely.
    missing = pl.col("_missing").sum() - pl.col("_missing").max()
    slots = pl.len() + missing
    by_chance = slots.log() / -(missing / slots).log()
    limits = (
        rows.select("symbol", "_missing")
        .group_by("symbol")
        .agg(pl.max_horizontal(by_chance, pl.lit(scope.settings.idle_bars_max, pl.Float64)).alias("_idle_max"))
    )
    idle = idle_is_missing(scope.settings) & (pl.col("_missing") <= pl.col("_idle_max"))
    explained = holes.join(limits, on="symbol", how="left").filter(idle).get_column("_row")
    return rows.with_columns(pl.col("_row").is_in(explained.implode()).alias("_idle"))


def _with_copies(rows: pl.DataFrame) -> pl.DataFrame:
    """_copies, _loser and _equal. The fullest has the largest volume, then most trades, and came last; a row whose
    prices cannot be true is full of nothing."""
    again = (pl.col("open_time") == pl.col("_before")).fill_null(False)
    twice = rows.select(again | again.shift(-1, fill_value=False)).to_series()
    single = (pl.lit(1, pl.UInt32), pl.lit(False), pl.lit(False))
    names = ("_copies", "_loser", "_equal")
    if not twice.any():
        return rows.with_columns(value.alias(name) for name, value in zip(names, single, strict=True))
    prices = ("open", "high", "low", "close")
    possible = pl.all_horizontal(
        *((pl.col(name).is_finite() & (pl.col(name) > 0)).fill_null(False) for name in prices),
        (pl.col("high") >= pl.max_horizontal(*prices)) & (pl.col("low") <= pl.min_horizontal(*prices)),
    )
    key = ["symbol", "open_time"]
    fullness = (
        possible,
        pl.col("volume").fill_nan(-1.0).fill_null(-1.0),
        pl.col("trades").fill_null(-1),
        pl.col("_row"),
    )
    copies = (
        rows.filter(twice)
        .with_columns(value.alias(f"_by{number}") for number, value in enumerate(fullness))
        .sort(*key, *(f"_by{number}" for number in range(len(fullness))))
        .with_columns(
            pl.len().over(key).alias("_copies"),
            (pl.col("_row") != pl.col("_row").last().over(key)).alias("_loser"),
            (pl.struct(FACTS).n_unique().over(key) == 1).alias("_equal"),
        )
        .select("_row", *names)
    )
    joined = rows.join(copies, on="_row", how="left", maintain_order="left")
    return joined.with_columns(
        pl.col(name).fill_null(value).alias(name) for name, value in zip(names, single, strict=True)
    )


def prepare_series(sound: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """Prepared rows that no rule of rows rejects, each key once, with what rules of series read.

    _first is made anew. _return: log return of the close. _same: equal to the bar before, volume included. _usual:
    median volume of the block of BLOCK_BARS bars that a bar is in, _volume_max: what is above it is out of proportion,
    _scale: see `quality.moves`, as are _outlier and _move.
    """
    rows = sound.with_columns(_first_of(sound))
    rows = rows.with_columns(
        _unless_first((pl.col("close") / pl.col("close").shift(1)).log()).alias("_return"),
        pl.all_horizontal(~pl.col("_first"), *(pl.col(name) == pl.col(name).shift(1) for name in MEASURED))
        .fill_null(False)
        .alias("_same"),
    )
    return with_outliers(with_usual(rows, scope), scope)


def blocks_of(first: pl.Series) -> pl.Series:
    """_block: BLOCK_BARS rows of a symbol from its first one on have one number; the last ones, too few for a block of
    their own, belong to the one before. Among a few bars nothing is out of scale, and the newest are decided on."""
    begins = first.arg_true().cast(pl.Int64)
    count = ((begins.shift(-1, fill_value=first.len()) - begins) // BLOCK_BARS).clip(lower_bound=1)
    places = pl.select(pl.int_ranges(begins, begins + count * BLOCK_BARS, BLOCK_BARS).explode()).to_series()
    # A block is a number, sorted: to group and join by anything else takes several times as long.
    return (first.scatter(places, True).cum_sum().cast(pl.Int64) - 1).alias("_block").set_sorted()


def with_usual(rows: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """_usual, _volume_max and _scale of each row's block. Volumes are spread as their logarithms: their scale is that
    from the median to the highest tenth, over 1.2816, which is where a normal distribution has it; at least 0.7, a
    doubling."""
    block = blocks_of(rows.get_column("_first"))
    traded = pl.col("volume").filter(pl.col("volume") > 0)
    blocks = (
        rows.select("volume", "_return", block)
        .group_by("_block", maintain_order=True)
        .agg(
            traded.median().alias("_usual"),
            traded.quantile(0.9, interpolation="higher").alias("_busy"),
            robust_scale(pl.col("_return")).alias("_scale"),
        )
    )
    spread = pl.max_horizontal((pl.col("_busy") / pl.col("_usual")).log() / 1.2816, pl.lit(0.7))
    limit = pl.col("_usual") * (scope.settings.volume_scales_max * spread).exp()
    of_blocks = blocks.select("_usual", limit.alias("_volume_max"), "_scale")
    return rows.hstack(of_blocks[block])
