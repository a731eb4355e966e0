"""What of a source's answer is believed: what it was asked for, nothing that has not happened yet, and of a secondary
what speaks of the same market as the first one: tickers are not unique among exchanges."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import polars as pl

from trade_pipeline.errors import MalformedAnswer, SourceDisagrees, VenueError
from trade_pipeline.market_data.sources.kept import KeptBars
from trade_pipeline.schemas import frames
from trade_pipeline.settings.sources import SourceSettings
from trade_pipeline.venues.protocols import BarsAnswer

AHEAD_MAX = timedelta(seconds=30)
"""How far the clocks of two exchanges may be apart: a bar that opens later than that has not begun anywhere."""


def asked_for(answer: BarsAnswer, wanted: Collection[str], now: datetime | None) -> BarsAnswer:
    """The rows of `wanted` symbols that answered; MalformedAnswer for those with a bar that opens after `now`.

    Such a row would make the running candle one with a successor, which is final. `now` is the exchange's time; None
    where nobody has told it yet. A symbol has rows or an error, never both: the next source's rows would mix with them.
    """
    errors = {symbol: error for symbol, error in answer.errors.items() if symbol in wanted}
    if now is not None:
        ahead = answer.frame.filter(pl.col("open_time") > frames.moment(now + AHEAD_MAX))
        newest = ahead.group_by("symbol").agg(pl.col("open_time").max())
        errors |= {
            symbol: MalformedAnswer("there are bars that have not begun yet", thing=symbol, value=opened)
            for symbol, opened in newest.iter_rows()
            if symbol in wanted
        }
    good = [symbol for symbol in wanted if symbol not in errors]
    return BarsAnswer(answer.frame.filter(pl.col("symbol").is_in(good)), errors)


def believed(answer: BarsAnswer, kept: KeptBars, settings: SourceSettings) -> BarsAnswer:
    """The answer as far as its closes agree with those kept of the symbol; SourceDisagrees for the rest.

    Too few bars in common say nothing: such a symbol is not believed either.
    """
    if not settings.compared_bars_min or answer.frame.is_empty():
        return answer
    errors: dict[str, VenueError] = dict(answer.errors)
    found = _distances(answer.frame, kept)
    for symbol in answer.frame.get_column("symbol").unique().to_list():
        bars, apart = found.get(symbol, (0, None))
        if bars < settings.compared_bars_min:
            errors[symbol] = SourceDisagrees("there is no bar to compare its prices with", thing=symbol)
        # A close that is no number agrees with nothing.
        elif apart is None or not apart <= settings.disagreement_ratio_max:
            errors[symbol] = SourceDisagrees("its prices are others than those known", thing=symbol, value=apart)
    return BarsAnswer(answer.frame.filter(~pl.col("symbol").is_in(list(errors))), errors)


def _distances(answer: pl.DataFrame, kept: KeptBars) -> dict[str, tuple[int, float | None]]:
    """By symbol: bars in common with what is kept, and the median of how far their closes are apart, as a ratio."""
    symbols = answer.get_column("symbol").unique().to_list()
    columns = {**{name: frames.BARS[name] for name in frames.BAR_KEY}, "known": pl.Float64()}
    known = [entry.frame.select(*frames.BAR_KEY, known="close") for entry in kept.get(symbols).values()]
    pairs = answer.join(pl.concat([pl.DataFrame(schema=columns), *known]), on=frames.BAR_KEY)
    apart = (pl.col("close") / pl.col("known") - 1).abs().median()
    return {name: (bars, ratio) for name, bars, ratio in pairs.group_by("symbol").agg(pl.len(), apart).iter_rows()}
