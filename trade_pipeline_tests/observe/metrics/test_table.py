"""The table of metrics, the documents and the rules for names are one."""

from __future__ import annotations

import re

import pytest

from trade_pipeline.observe.metrics.table import PREFIX, SPECS, Kind, Spec
from trade_pipeline.runtime.environment import REPOSITORY

_ROW = re.compile(rf"^\| `{PREFIX}(\w+)` \| (\w+) \| ([^|]+) \| (.+) \|$", re.MULTILINE)


def test_the_operations_document_lists_every_metric_and_no_other() -> None:
    told = _ROW.findall((REPOSITORY / "docs" / "operations.md").read_text())
    assert told == [(spec.name, str(spec.kind), ", ".join(spec.labels) or "–", spec.what) for spec in SPECS.values()]


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda spec: spec.name)
def test_a_name_says_its_kind_and_its_unit(spec: Spec) -> None:
    assert re.fullmatch(r"[a-z][a-z_]*", spec.name)
    assert (spec.kind is Kind.COUNTER) == spec.name.endswith("_total")
    assert "le" not in spec.labels
    for word, unit in (("age", "seconds"), ("latency", "seconds"), ("duration", "seconds")):
        if word in spec.name.split("_"):
            assert spec.name.endswith(unit)


def test_names_in_the_alerts_of_the_document_are_metrics() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    named = set(re.findall(rf"{PREFIX}([a-z_]+)", text[text.index("## Metrics") : text.index("| metric |")]))
    assert named <= set(SPECS)
