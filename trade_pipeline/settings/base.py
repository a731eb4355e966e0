"""The one base of every settings model: frozen values, unknown keys refused."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen group of settings. A key that nobody reads is a typing error of the user's: refuse it."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
