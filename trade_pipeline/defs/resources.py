"""The one place that builds real adapters: settings, lake, ledger and venues of the stack this process belongs to.

Nothing is built at import or at start: a warm worker forks after it has imported the definitions, and what is
opened before the fork dies with it. What is built lives as long as the process, because warm runs stand on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from trade_pipeline.errors import LedgerUnavailable, SettingsError
from trade_pipeline.execution.desk import Desk
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.market_data.holes import AskedHoles
from trade_pipeline.market_data.lake import Lake, lake_of
from trade_pipeline.market_data.sources.figures import Figures
from trade_pipeline.market_data.universe import chosen, is_blacklisted, known_of_day
from trade_pipeline.schemas.trading import MarketRules
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import Secrets, secrets_from, settings_in_force
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.protocols import TradingVenue

if TYPE_CHECKING:
    from trade_pipeline.market_data.sources.cascade import Cascade
    from trade_pipeline.market_data.sources.warm import Warmer

HOME_VARIABLE = "TRADE_PIPELINE_HOME"
RULES_AGE_MAX = timedelta(hours=1)


@dataclass
class OpenStack:
    """Adapters of one home, each built when it is first asked for and kept."""

    home: Home
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _rules: tuple[datetime, dict[str, MarketRules]] | None = field(default=None, repr=False)
    _universes: dict[datetime, tuple[str, ...] | None] = field(default_factory=dict, repr=False)

    @cached_property
    def settings(self) -> Settings:
        return settings_in_force(self.home)

    @cached_property
    def secrets(self) -> Secrets:
        return secrets_from(self.environ, self.home)

    @cached_property
    def lake(self) -> Lake:
        return lake_of(self.settings.storage, self.home)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.secrets.ledger_url)

    @cached_property
    def market(self) -> Cascade:
        """Public data: the first source, and those that stand in for it."""
        from trade_pipeline.market_data.sources.from_settings import cascade_of

        return cascade_of(self.settings, self.home, self.environ, self.now)

    @cached_property
    def warmer(self) -> Warmer:
        """Reads the sources before a bar closes, in the process that has decided on the one before."""
        from trade_pipeline.market_data.sources.warm import Warmer

        return Warmer(self.market, self.settings.sources.warm_lead_s, self.now)

    @cached_property
    def holes(self) -> AskedHoles:
        """How often this process has asked for each hole in vain."""
        return AskedHoles()

    def in_play(self) -> tuple[str, ...]:
        """Symbols with a position, then those with live orders: their data comes first. None where nobody can say."""
        account = self.settings.account
        try:
            held = [position.symbol for position in self.ledger.positions(account)]
            waiting = [order.symbol for order in self.ledger.live_orders(account)]
        except LedgerUnavailable:
            return ()
        return tuple(dict.fromkeys([*held, *waiting]))

    @cached_property
    def figures(self) -> Figures:
        """How reliable the sources of bars were, counted by every process of the home."""
        return Figures(self.home.source_figures, self.settings.sources.figures_days)

    @cached_property
    def trading(self) -> TradingVenue:
        from trade_pipeline.venues.factory import trading_venue

        return trading_venue(
            self.settings, self.secrets, self.environ.get("TRADE_PIPELINE_EXCHANGE_URL"), self.home.budgets
        )

    @property
    def desk(self) -> Desk:
        """What `execution` needs of this process's stack."""
        return Desk(self.ledger, self.trading, self.settings, self.home, self.now)

    def rules(self) -> dict[str, MarketRules]:
        """The exchange's trading rules by symbol, read again every RULES_AGE_MAX."""
        if self._rules is None or self.now() - self._rules[0] > RULES_AGE_MAX:
            self._rules = (self.now(), self.market.markets())
        return self._rules[1]

    def universe(self, as_of: datetime) -> tuple[str, ...]:
        """Symbols to decide on at a bar's close: those that the settings name, else those of the newest scan by then,
        none if it chose none.

        Before the first scan, and without discovery: the active ones of the quote asset, by name.
        """
        if as_of not in self._universes:
            found = chosen(self.lake, as_of) if self.settings.universe.discovery else None
            self._universes = {as_of: found}  # of the decision at hand: every step of it asks
        found = self.settings.market.symbols or self._universes[as_of]
        return self._active() if found is None else found

    def universe_of_day(self, day: str, until: datetime) -> tuple[str, ...]:
        """Symbols that a decision of this UTC day up to `until` could be taken on, as it was known then."""
        found = known_of_day(self.lake, self.settings, day, until)
        return self._active() if found is None else found

    def _active(self) -> tuple[str, ...]:
        market, never = self.settings.market, self.settings.universe.blacklist
        active = sorted(r.symbol for r in self.rules().values() if r.active and r.quote == market.quote_asset)
        return tuple([symbol for symbol in active if not is_blacklisted(symbol, never)][: market.symbols_max])

    @cached_property
    def code_version(self) -> str:
        """Version of the product, recorded with every decision."""
        try:
            return version("trade-pipeline")
        except PackageNotFoundError:
            return "unknown"


_OPEN: dict[tuple[int, str], OpenStack] = {}


def open_stack(home: str) -> OpenStack:
    """The stack of that home in this process; a fork gets its own."""
    key = (os.getpid(), home)
    if key not in _OPEN:
        _OPEN[key] = OpenStack(Home.at(Path(home)))
    return _OPEN[key]


def forget(home: str) -> None:
    """Close and drop what this process has open of that home; the next use reads settings and opens anew."""
    opened = _OPEN.pop((os.getpid(), home), None)
    for name in ("warmer", "ledger", "market", "trading"):
        if opened is not None and name in opened.__dict__:
            opened.__dict__[name].close()


class Stack(dg.ConfigurableResource):  # type: ignore[type-arg]  # the base is generic only for its own subclasses
    """The stack whose home `TRADE_PIPELINE_HOME` names. It holds no secret: they are read when they are used."""

    home: str = ""

    @property
    def open(self) -> OpenStack:
        """Raises SettingsError where no home is named."""
        home = self.home or os.environ.get(HOME_VARIABLE, "")
        if not home:
            raise SettingsError(
                "no home is named",
                thing=HOME_VARIABLE,
                repair="Start with the environment that `trade-pipeline env` prints.",
            )
        return open_stack(home)
