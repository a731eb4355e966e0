"""Asks every part of a stack at the moment of a scrape. Keeps connections and what failed last, and never raises."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from trade_pipeline.errors import LedgerUnavailable
from trade_pipeline.ledger.ledger import Ledger, utc_now
from trade_pipeline.market_data.lake import lake_of
from trade_pipeline.market_data.sources.figures import Figures
from trade_pipeline.observe.metrics import feeds, processes, trading
from trade_pipeline.observe.metrics.table import FAILED, PREFIX, SPECS, Classes, Kind, Reading, Spec
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings

LOGGER = logging.getLogger(__name__)

Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily
_FAMILIES: Mapping[Kind, type[Family]] = {
    Kind.GAUGE: GaugeMetricFamily,
    Kind.COUNTER: CounterMetricFamily,
    Kind.HISTOGRAM: HistogramMetricFamily,
}
Found = Iterable[Reading | Classes]
Part = Callable[[datetime], Found]


class StackCollector(Collector):
    """Every metric of the stack in `home`. Connects at the first scrape; for one scrape at a time."""

    def __init__(
        self, home: Home, settings: Settings, ledger: Ledger, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._now = now
        self._failed: set[str] = set()
        account, lake = settings.account, lake_of(settings.storage, home)
        figures = Figures(home.source_figures, settings.sources.figures_days)
        secondaries = settings.sources.secondary_names
        self._apart: dict[str, Part] = {
            "stack": lambda at: processes.stack(home, settings),
            "signs": lambda at: processes.signs(home, at),
            "supervisor": lambda at: processes.supervised(home),
            "sources": lambda at: feeds.sources(figures, secondaries, at),
            "quality": lambda at: feeds.quality(lake, at),
        }
        self._of_ledger: dict[str, Part] = {
            "heartbeats": lambda at: processes.heartbeats(ledger, at),
            "decisions": lambda at: trading.decisions(ledger, account, at),
            "positions": lambda at: trading.positions(ledger, account),
            "troubles": lambda at: trading.troubles(ledger, account, at),
            "equity": lambda at: trading.equity(ledger, account, at),
        }

    @property
    def parts(self) -> tuple[str, ...]:
        return (*self._apart, *self._of_ledger)

    def describe(self) -> Iterable[Metric]:
        """Names alone: to be registered must not cost a scrape."""
        return [_family(spec) for spec in SPECS.values()]

    def collect(self) -> Iterator[Metric]:
        found: dict[str, list[Reading | Classes]] = {name: [] for name in SPECS}
        for one in self._readings():
            found[one.name].append(one)
        for name, readings in found.items():
            if readings:
                family = _family(SPECS[name])
                for one in readings:
                    _add(family, one)
                yield family

    def _readings(self) -> Iterator[Reading | Classes]:
        at = self._now()
        for name, part in self._apart.items():
            yield from self._read(name, part, at)[0]
        is_away = False
        for name, part in self._of_ledger.items():
            if is_away:  # each further try would wait for the same server
                yield Reading(FAILED, 1, (name,))
                continue
            readings, is_away = self._read(name, part, at)
            yield from readings

    def _read(self, name: str, part: Part, at: datetime) -> tuple[list[Reading | Classes], bool]:
        """What the part says, all or nothing, and whether it failed because the ledger is away."""
        began = time.perf_counter()
        readings: list[Reading | Classes] = []
        is_away = False
        try:
            readings += part(at)
            failed = 0.0
            self._failed.discard(name)
        # Whatever is wrong with one part, a scraper needs the others most when something is wrong.
        except Exception as error:
            if name not in self._failed:  # a scraper comes back every few seconds
                LOGGER.warning("metrics: %s could not be read: %s", name, error)
            self._failed.add(name)
            readings, failed, is_away = [], 1.0, isinstance(error, LedgerUnavailable)
        spent = time.perf_counter() - began
        return [
            *readings,
            Reading(FAILED, failed, (name,)),
            Reading("collect_duration_seconds", spent, (name,)),
        ], is_away


def _family(spec: Spec) -> Family:
    return _FAMILIES[spec.kind](PREFIX + spec.name, spec.what, labels=spec.labels)


def _add(family: Metric, one: Reading | Classes) -> None:
    if isinstance(one, Classes):
        assert isinstance(family, HistogramMetricFamily), one.name
        ends = [("+Inf" if end == float("inf") else f"{end:g}", float(count)) for end, count in one.counts]
        family.add_metric(one.labels, ends, one.sum)
    else:
        assert isinstance(family, GaugeMetricFamily | CounterMetricFamily), one.name
        family.add_metric(one.labels, one.value)
