"""Asks every part of a stack at the moment of a scrape, each for a bounded time, and never raises.

Kept between scrapes are connections, and what failed last.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as OutOfTime
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
Parts = dict[str, Part]
ANSWER_S = 4.0
"""More than the ledger takes to find that no server is there, less than a scraper waits."""


class StackCollector(Collector):
    """Every metric of the stack in `home`. Connects, and has threads, from the first scrape on; for one at a time."""

    def __init__(
        self, home: Home, settings: Settings, ledger: Ledger, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._now = now
        self._failed: set[str] = set()
        account, lake = settings.account, lake_of(settings.storage, home)
        figures = Figures(home.source_figures, settings.sources.figures_days)
        secondaries = settings.sources.secondary_names
        supervisor: Parts = {"supervisor": lambda at: processes.supervised(home)}
        files: Parts = {
            "stack": lambda at: processes.stack(home, settings),
            "signs": lambda at: processes.signs(home, at),
            "sources": lambda at: feeds.sources(figures, secondaries, at),
            "quality": lambda at: feeds.quality(lake, at),
        }
        book: Parts = {
            "heartbeats": lambda at: processes.heartbeats(ledger, at),
            "decisions": lambda at: trading.decisions(ledger, account, at),
            "positions": lambda at: trading.positions(ledger, account),
            "troubles": lambda at: trading.troubles(ledger, account, at),
            "equity": lambda at: trading.equity(ledger, account, at),
        }

        self._groups = (files, supervisor, book)
        """What may be silent together: nobody waits for the parts of one group behind those of another."""
        self._busy: dict[int, Future[list[Reading | Classes]]] = {}
        self._threads: ThreadPoolExecutor | None = None

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
        """Each group is waited for until the same moment; one that has not ended by then is not asked again before."""
        at, until = self._now(), time.monotonic() + ANSWER_S
        if self._threads is None:
            self._threads = ThreadPoolExecutor(len(self._groups), thread_name_prefix="metrics")
        late = {number for number, task in self._busy.items() if not task.done()}
        asked = {n: group for n, group in enumerate(self._groups) if n not in late}
        self._busy |= {number: self._threads.submit(self._read_all, group, at) for number, group in asked.items()}
        for number, group in enumerate(self._groups):
            try:
                if number in late:
                    raise OutOfTime
                yield from self._busy[number].result(max(until - time.monotonic(), 0))
            except OutOfTime:
                yield from (Reading(FAILED, 1, (name,)) for name in group)

    def _read_all(self, group: Parts, at: datetime) -> list[Reading | Classes]:
        found: list[Reading | Classes] = []
        is_away = False
        for name, part in group.items():
            if is_away:  # each further try would wait for the same server
                found.append(Reading(FAILED, 1, (name,)))
                continue
            readings, is_away = self._read(name, part, at)
            found += readings
        return found

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
