"""What a frame of targets must be in itself. Limits that depend on settings and the account are in `quality`."""

from __future__ import annotations

from typing import ClassVar

import pandera.polars as pa
import polars as pl

from trade_pipeline.schemas.trading import TargetKind
from trade_pipeline.schemas.validation import Frame, Quantity, UtcMs, number


class Targets(Frame):
    """target_positions and approved_targets. Key: (decision_id, symbol), unique."""

    decision_id: str
    as_of: UtcMs
    symbol: str
    kind: str = pa.Field(isin=[str(kind) for kind in TargetKind])
    quantity: Quantity = pa.Field(nullable=True)
    price: Quantity = pa.Field(nullable=True)
    stop_distance: Quantity = pa.Field(nullable=True)
    score: float = number(ge=-1, le=1)
    weight: float = number(ge=0)
    strategy_name: str = pa.Field(alias="strategy")  # pandera has a method of that name
    sleeves: str = pa.Field(nullable=True)
    expires_at: UtcMs
    reason: str

    class Config(Frame.Config):
        unique: ClassVar[list[str]] = ["decision_id", "symbol"]

    @pa.dataframe_check
    @classmethod
    def quantity_fits_kind(cls, data: pa.PolarsData) -> pl.LazyFrame:
        """SET has a quantity above 0, FLAT has 0, HOLD has none."""
        kind, quantity = pl.col("kind"), pl.col("quantity")
        fits = (
            pl.when(kind == "SET")
            .then(quantity.is_not_null() & (quantity > 0))
            .when(kind == "FLAT")
            .then(quantity.is_not_null() & (quantity == 0))
            .otherwise(quantity.is_null())
        )
        return data.lazyframe.select(fits.fill_null(False))

    @pa.dataframe_check
    @classmethod
    def set_has_price_and_stop(cls, data: pa.PolarsData) -> pl.LazyFrame:
        """A SET names the price it was decided at and a stop between 0 and that price."""
        price, distance = pl.col("price"), pl.col("stop_distance")
        complete = (price > 0) & (distance > 0) & (distance < price)
        return data.lazyframe.select(complete.fill_null(False) | (pl.col("kind") != "SET"))
