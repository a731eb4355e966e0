"""Settings of paper mode: real public data, orders on the simulated exchange (TRADING rule 23)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from trade_pipeline.settings.base import Section
from trade_pipeline.settings.sources import is_local


class PaperSettings(Section):
    """How the simulated exchange follows the real one, which `venue.name` names."""

    feed_url: str | None = None
    """Address in place of the real exchange's: of this machine only, for a rehearsal against a second simulated one."""
    poll_s: float = Field(1.0, gt=0, le=60)
    """How often trades and depth of symbols with open orders are read; others are read when somebody asks."""
    depth_levels: Literal[20, 100] = 100
    """Levels of each side that are read; some exchanges know no other numbers."""
    data_age_s_max: float = Field(10.0, gt=0, le=300)
    """Depth or prices older than this fill nothing, and orders are refused as by an overloaded exchange."""
    order_wait_s_max: float = Field(3.0, gt=0, le=30)
    """How long an order waits for the depth that it is to meet."""

    @field_validator("feed_url")
    @classmethod
    def _is_of_this_machine(cls, value: str | None) -> str | None:
        if value is not None and not is_local(value):
            raise ValueError("feed_url is no address of this machine: a real exchange is named by venue.name")
        return value
