"""A scrape as tests ask it: values by name and labels, read by the library's own parser."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from trade_pipeline.observe.metrics.table import PREFIX


@dataclass(frozen=True)
class Scrape:
    families: tuple[Metric, ...]

    def one(self, name: str, **labels: str) -> float:
        """The only sample of that name with exactly these labels."""
        (value,) = [
            sample.value
            for family in self.families
            for sample in family.samples
            if sample.name == PREFIX + name and sample.labels == labels
        ]
        return float(value)

    def labelled(self, name: str) -> dict[tuple[str, ...], float]:
        """Every sample of that name, by its labels' values."""
        return {
            tuple(sample.labels.values()): float(sample.value)
            for family in self.families
            for sample in family.samples
            if sample.name == PREFIX + name
        }


def read(text: str) -> Scrape:
    return Scrape(tuple(text_string_to_metric_families(text)))
