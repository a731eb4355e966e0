"""Tables that look like market data and are none: each is refused with what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from trade_pipeline.recorded.layouts import plain
from trade_pipeline.recorded.values import refuse

_BIDS = ("bid", "bid_price", "bidprice", "bids", "bid_px", "best_bid_price", "bids_0_price")
_ASKS = ("ask", "ask_price", "askprice", "asks", "ask_px", "best_ask_price", "asks_0_price")
_OPEN = ("open", "o", "open_price")


@dataclass(frozen=True, slots=True)
class Stranger:
    """`what` such a table is, shown by one column of each group of `groups` and none of `without`; the `repair`."""

    what: str
    groups: tuple[tuple[str, ...], ...]
    repair: str
    without: tuple[str, ...] = _OPEN


STRANGERS = (
    Stranger("quotes or an order book (bid and ask), no trades", (_BIDS, _ASKS), "Give the candles or the trades."),
    Stranger(
        "an account's own orders or fills, no trades of the market",
        (("orderid", "order_id", "ordertxid", "commission", "clientorderid"), ("price", "qty", "origqty", "amount")),
        "Give the candles or the trades of the market.",
    ),
    Stranger("rates of funding, no prices", (("funding_rate", "fundingrate", "last_funding_rate"),), "Give candles."),
    Stranger(
        "BitMEX's buckets: their time is when they end, their volume counts contracts",
        (("homenotional",), ("foreignnotional",), ("open",)),
        "Give the time of opening, and homeNotional as volume.",
        without=(),
    ),
)


_LEAN_TIME = r"^\d{8} \d{2}:\d{2}$"


def check_rows(path: Path, frame: pl.DataFrame) -> None:
    """Raises ReplayFileError for rows without names that are known not to mean what they say: LEAN's shares, whose
    times are New York's and whose prices are ten thousand times themselves."""
    times, prices = frame.to_series(0), frame.select(frame.columns[1:5])
    if times.dtype == pl.String and times.str.contains(_LEAN_TIME).all() and all(d.is_integer() for d in prices.dtypes):
        repair = "Divide the prices by 10,000 and give the times in UTC, under names."
        refuse(path, "these are LEAN's shares: prices times 10,000, times of New York", frame.row(0), repair)


def check_columns(path: Path, columns: Sequence[str]) -> None:
    """Raises ReplayFileError for a table that is known to hold neither bars nor trades of a market."""
    names = {plain(column) for column in columns}
    for stranger in STRANGERS:
        if all(names & set(group) for group in stranger.groups) and not names & set(stranger.without):
            refuse(path, f"these are {stranger.what}", list(columns)[:12], stranger.repair)
