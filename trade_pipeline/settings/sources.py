"""Settings of the sources of bars: who is asked when the first one fails, and how old a kept answer may be."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, model_validator

from trade_pipeline.settings.base import Section

SECOND_SIMULATION = "binance-sim-2"
"""Name of a simulated exchange that stands in for Binance: its rows are told from those of the first source, which may
be a simulated one too."""
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


def is_local(url: str) -> bool:
    """Whether the address is of this machine: what stands in for a real exchange must not be another real one."""
    return urlsplit(url).hostname in LOCAL_HOSTS


class SourceSettings(Section):
    """The cascade behind every read of bars: primary, secondaries, what is kept, and then a typed error."""

    secondary: tuple[str, ...] = ()
    """Exchanges that are asked in this order for the symbols that the first one could not answer, by ccxt's names."""
    secondary_urls: dict[str, str] = Field(default_factory=dict)
    """Address by name in place of the exchange's own: of this machine only, and never in live."""
    patience_s: float = Field(1.0, gt=0, le=30)
    """How long one source is waited for when bars have just closed; the next one needs its share of the time."""
    soft_age_s: float = Field(90.0, gt=0, le=3600)
    """Age up to which a kept answer counts as fresh."""
    hard_age_s: float = Field(600.0, gt=0, le=86_400)
    """Age beyond which a kept answer is refused; between the two it is given, and marked as stale."""
    kept_bars: int = Field(720, ge=10, le=20_000)
    """Final bars kept in memory for each symbol."""
    compared_bars_min: int = Field(1, ge=0, le=60)
    """Bars that a secondary must share with what is kept of a symbol before it is believed; 0 believes it unseen."""
    disagreement_ratio_max: float = Field(0.01, gt=0, lt=1)
    """How far the closes of a secondary may be from those kept, in the median."""
    cross_checked: bool = True
    """Read the first of `secondary` beside the first exchange, and hold a symbol whose closes differ by more than
    `quality.disagreement_ratio_max`. Costs that exchange one request a symbol and bar."""
    breaker_window_s: float = Field(60.0, gt=0, le=3600)
    breaker_requests_min: int = Field(10, ge=1, le=10_000)
    """Requests within the window before their failures say anything."""
    breaker_failure_ratio: float = Field(0.5, gt=0, le=1)
    """Share of failing requests, and of failing symbols, from which a source is left alone."""
    breaker_open_s: float = Field(15.0, gt=0, le=3600)
    """How long it is left alone before a few symbols try it again."""
    breaker_probes: int = Field(3, ge=1, le=100)
    warm_lead_s: float = Field(8.0, ge=0, le=50)
    """How long before a bar's close connections, symbols and newest bars are read; 0 does not."""
    figures_days: int = Field(7, ge=1, le=366)
    """How long the reliability of every minute is remembered."""

    @property
    def secondary_names(self) -> tuple[str, ...]:
        """What the secondaries are called in the column `source` of their bars and in figures, in their order."""
        return tuple(
            SECOND_SIMULATION if name == "binance" and name in self.secondary_urls else name for name in self.secondary
        )

    @model_validator(mode="after")
    def _ages_are_in_order(self) -> SourceSettings:
        if self.soft_age_s >= self.hard_age_s:
            raise ValueError(f"soft_age_s {self.soft_age_s:g} must be below hard_age_s {self.hard_age_s:g}")
        return self

    @model_validator(mode="after")
    def _names_fit(self) -> SourceSettings:
        if len(set(self.secondary)) != len(self.secondary):
            raise ValueError(f"secondary {list(self.secondary)} names an exchange twice")
        for name, url in self.secondary_urls.items():
            if name not in self.secondary:
                raise ValueError(f"secondary_urls.{name} belongs to no exchange of secondary")
            if not is_local(url):
                raise ValueError(f"secondary_urls.{name} is no address of this machine")
        return self
