"""The one base of every settings model: frozen values, unknown keys refused, every number within bounds."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen group of settings. A key that nobody reads is a typing error of the user's: refuse it.

    Every number has a lower and an upper bound (a test holds it): an endless one would first be met by the arithmetic
    of times and amounts, in a process that must not die of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)
