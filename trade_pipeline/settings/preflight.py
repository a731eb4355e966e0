"""Settings of the preflight: what must be true before real money is traded."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trade_pipeline.settings.base import Section

AccountKind = Literal["spot", "margin", "unified"]


class PreflightSettings(Section):
    """What the preflight of live mode expects."""

    account_kind: AccountKind = "spot"
    """Kind of account that orders are meant for; another one is refused."""
    clock_offset_ms_max: int = Field(500, ge=10, le=5000)
    """How far this machine's clock may be from the exchange's."""
    instance_check_s: float = Field(30.0, ge=5, le=600)
    """How often a running live stack looks whether another instance trades on its account."""
