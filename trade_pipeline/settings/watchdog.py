"""How old a sign of life may be before the process that owes it is started anew."""

from __future__ import annotations

from pydantic import Field, model_validator

from trade_pipeline.settings.base import Section


class WatchdogSettings(Section):
    look_every_s: float = Field(5.0, ge=1, le=60)
    """Pause between two looks at every sign."""
    answer_age_s_max: float = Field(45.0, ge=10, le=3600)
    """Servers are asked, workers and the guard sign: silence for longer, and the process is restarted."""
    tick_age_s_max: float = Field(100.0, ge=70, le=3600)
    """Age of the newest tick of the deciding schedule; beyond it the daemon is restarted. One comes each minute."""
    sensor_age_s_max: float = Field(75.0, ge=50, le=3600)
    """The same for the evaluations of sensors, of which one waits for up to half a minute."""
    data_age_s_max: float = Field(150.0, ge=70, le=3600)
    """Age of the newest bars that were fetched; beyond it the worker that decides is restarted."""
    candle_age_s_max: float = Field(150.0, ge=70, le=3600)
    """Age of the simulated exchange's own newest candle; beyond it that exchange is restarted."""
    decision_age_s_max: float = Field(300.0, ge=120, le=86_400)
    """Age of the newest decision; beyond it there is an alert. No restart: failed checks may be the reason."""
    backoff_max: int = Field(16, ge=1, le=256)
    """A limit doubles with each restart that did not help, up to so many times itself."""

    @model_validator(mode="after")
    def _looks_are_denser_than_limits(self) -> WatchdogSettings:
        if self.look_every_s * 2 > self.answer_age_s_max:
            raise ValueError("look_every_s may be half of answer_age_s_max at most, or one missed look is a restart")
        return self
